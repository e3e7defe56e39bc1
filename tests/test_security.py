"""The promises of SECURITY.md that concern code, words and settings rather than files."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from check_code import check_source, main

from dj_core.library.library import Library
from dj_ui.words import MOST_SPOKEN, spoken

# -- the checker -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import pickle as json",
        "from pickle import loads",
        "from pickle import UnpicklingError, loads",
        "import torch, joblib",
        "import cloudpickle.compat",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=safe)",
        "numpy.load(path, allow_pickle=True)",
        "eval('1 + 1')",
        "exec(text)",
        "frame.eval('a + b')",
        "__import__(name)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "archive.extractall(folder)",
        "shutil.unpack_archive(path)",
        "tempfile.mktemp()",
        "st.warning(str(error))",
        "st.html(f'<b>{name}</b>')",
        "st.html(name)",
        "st.html('<b>' + name)",
        "st.html('<b>%s</b>' % name)",
        "st.html('<b>{}</b>'.format(name))",
        "st.html(''.join(f'<b>{name}</b>' for name in names))",
        "st.html(name.join(['<b>', '</b>']))",
        "st.html(body=name)",
        "st.markdown(name, unsafe_allow_html=True)",
        "st.markdown(f'<b>{name}</b>', unsafe_allow_html=anything)",
        "st.html(f'<b>{name:>20}</b>')",
        "rows = '<b>'\nrows += name\nst.html(rows)",
        "def f(name):\n    rows = name\n    st.html(rows)",
        "def row_html(name):\n    return f'<b>{name}</b>'",
        "def f(names):\n    for name in names:\n        st.html(f'<b>{name}</b>')",
    ],
)
def test_what_our_code_never_does_is_found(line):
    assert check_source(line)


@pytest.mark.parametrize(
    "line",
    [
        "from pickle import UnpicklingError",
        "torch.load(path, weights_only=True)",
        "numpy.load(path)",
        "network.eval()",
        "subprocess.run([program, argument])",
        "st.html('<b>words</b>')",
        "st.html(HERE / 'theme.css')",
        "st.html(f'<b>{escape(name)}</b>')",
        "st.html(f'<b>{share:.2f}</b>')",
        "st.html(f'<b>{row_html(name)}</b>')",
        "def f(names):\n    row = ''.join(f'<b>{escape(n)}</b>' for n in names)\n    st.html(row)",
        "def row_html(name):\n    return f'<b>{escape(name)}</b>'",
        "st.markdown(name)",
        "st.warning(spoken(error))",
    ],
)
def test_what_is_safe_passes(line):
    assert not check_source(line)


def test_all_of_our_code_passes(capsys):
    assert main([]) == 0, capsys.readouterr().out


def test_lint_runs_the_checker():
    (rule,) = [
        part for part in (ROOT / "Makefile").read_text().split("\n\n") if "\nlint:" in f"\n{part}"
    ]
    assert "scripts/check_code.py" in rule


def test_the_checker_ends_with_1_and_says_where(tmp_path):
    (tmp_path / "bad.py").write_text("x = 1\nimport pickle\n")
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_code.py", tmp_path / "bad.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    assert "bad.py:2: pickle" in answer.stdout


# -- words from elsewhere --------------------------------------------------------------------------


def test_plain_words_are_spoken_as_they_are():
    words = "There is no corpus called 'drums-2'. Corpora: starter, mine (12 files)."
    assert spoken(words) == words


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://pixel.example/a.png)",
        "[click](javascript:alert(1))",
        "see https://evil.example now",
        "www.evil.example",
        "**loud** _slanted_ `code` ~~struck~~ $x^2$",
        ":red[alarm] :material/delete: :smile:",
        "<img src=x onerror=alert(1)>",
        "&lt;script&gt;",
        "# heading",
        "line\n\n# heading",
        "safe\u202egnp.dim",
        "a\u0000b\ud800c",
    ],
)
def test_words_from_elsewhere_become_no_markup(hostile):
    told = spoken(hostile)
    plain = told.replace("\\", "")
    assert "\n" not in told
    assert not {"\u202e", "\u0000", "\ud800"} & set(told)
    for mark in "*_`[]<>~$&":
        assert told.count(mark) == told.count(f"\\{mark}"), mark
    assert "://" not in told
    assert "www." not in told
    assert not told.startswith("#")
    assert plain.replace("\u2060", "")[:3] == hostile[:3] or "\u0000" in hostile


def test_long_words_are_cut():
    assert len(spoken("x" * 10_000)) <= MOST_SPOKEN + 1


def test_no_place_on_the_disk_is_told(home):
    told = spoken(f"crate.db could not be saved in {home}: no space. See {home}/corpora/mine.")
    assert str(home.parent) not in told
    assert told == "crate.db could not be saved in the DJ's folder: no space. See corpora/mine."


# -- settings --------------------------------------------------------------------------------------


def test_the_app_is_shut_to_others_unless_somebody_opens_it():
    found = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    server, client = found["server"], found["client"]
    assert server["address"] == "127.0.0.1"
    assert server["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert server["enableXsrfProtection"]
    assert server["enableCORS"]
    assert server["maxUploadSize"] <= 50
    assert client["showErrorDetails"] == "none"
    assert client["toolbarMode"] == "viewer"
    assert not found["browser"]["gatherUsageStats"]
    assert not found["runner"]["magicEnabled"]


# -- a stranger's names, in a real browser ---------------------------------------------------------


@pytest.mark.browser
def test_names_from_a_stranger_become_no_markup_on_any_page(app, screen):
    """A corpus, a crate and a model folder full of them; nothing is fetched, nothing runs."""
    names = ["<img src=x onerror=window.hacked=1>", "![x](http://127.0.0.1:9/pixel.png)",
             "</p><script>window.hacked=1</script>", ":red[**loud**]"]  # fmt: skip
    from hostile_zips import good_midi

    from dj_core.library.kept_beats import Crate
    from dj_core.music.beat import Beat, Hit

    source = app.home.parent / "strange"
    for number, name in enumerate(names):
        path = source / f"{number}{name.replace('/', '')}.mid"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(good_midi(number))
        beat = Beat((Hit.of("kick", number), Hit.of("snare", 1)), 1, title=name)
        Crate(app.home / "crate.db").keep(beat, name=name, tags=["<b>tag</b>"])
    (source / "<b>bad.mid").write_bytes(b"no")
    library = Library(app.home)
    library.import_corpus(source, "strange")
    (app.home / "models" / "<b>odd").mkdir(parents=True)
    (app.home / "models" / "<b>odd" / "model.json").write_text('{"format": "<img src=x>"}')
    fetched: list[str] = []
    screen.page.on("request", lambda request: fetched.append(request.url))
    for path in ("/generate", "/explore?corpus=strange", "/crate", "/set", "/train"):
        screen.open(path)
        assert screen.page.evaluate("window.hacked") is None, path
        markup = screen.page.evaluate(
            "[...document.querySelectorAll('img[src=x], img[src*=pixel], p script')].length"
        )
        assert markup == 0, path
    assert not [url for url in fetched if "127.0.0.1:9/" in url or url.endswith("/x")]
