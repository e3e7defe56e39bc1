"""A component's modules reach the browser as one, which does what they do."""

import re

import pytest
from conftest import ROOT

from dj_ui.deck import program
from dj_ui.javascript import joined

SCREEN = ROOT / "dj_ui"
MODULES = sorted(SCREEN.rglob("*.js"))
ENTRIES = [
    SCREEN / name
    for name in ("deck/main.js", "deck/gate.js", "beat_list/list.js", "set_order/order.js")
]


def write(folder, **files):
    """Modules in a folder, by their names; the path of the first."""
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text)
    return (folder / f"{next(iter(files))}.js").resolve()


def order(script):
    """The names of the files in a joined script, in its order."""
    return re.findall(r"^// \S+/(\S+)\.js$", script, re.MULTILINE)


def test_a_module_comes_after_all_that_it_imports_and_once(tmp_path):
    entry = write(
        tmp_path,
        top="import { b } from './left.js'\nimport { c } from './right.js'\n"
        "export default [b, c]\n",
        left="import { d } from './base.js'\nexport const b = d\n",
        right="import { b } from './left.js'\nimport { d } from './base.js'\n"
        "export const c = b + d\n",
        base="export const d = 1\n",
        other="export const nobody = 'asks'\n",
    )
    assert order(joined(entry)) == ["base", "left", "right", "top"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"a": "import { b } from './b.js'\nexport const a = b\n",
             "b": "import { a } from './a.js'\nexport const b = a\n"},
            "cycle",
        ),
        ({"a": "import { c } from './b.js'\n", "b": "const c = 1\nexport const d = c\n"},
         "imports c"),
        ({"a": "import b from './b.js'\n", "b": "export default 1\n"}, "not understood"),
        ({"a": "import * as b from './b.js'\n", "b": "export default 1\n"}, "not understood"),
        ({"a": "const b = 1\nexport { b }\n"}, "not understood"),
        ({"a": "export let b = 1\n"}, "not understood"),
    ],
)  # fmt: skip
def test_what_a_browser_would_refuse_or_read_otherwise_is_an_error(tmp_path, files, words):
    with pytest.raises(ValueError, match=words):
        joined(write(tmp_path, **files))


def test_every_module_is_part_of_a_component():
    reached = set().union(*(order(joined(entry)) for entry in ENTRIES))
    assert reached == {path.stem for path in MODULES}


def test_nothing_is_exported_that_no_module_imports():
    texts = {path: path.read_text("utf-8") for path in MODULES}
    imported = {
        name.split()[0]
        for text in texts.values()
        for names in re.findall(r"^import \{([^}]*)\} from", text, re.MULTILINE)
        for name in names.split(",")
        if name.strip()
    }
    for path, text in texts.items():
        exported = set(re.findall(r"^export (?!default).*?(\w+)(?: =|\(| \{| extends)", text, re.M))
        assert exported <= imported, path


# -- in the browser --------------------------------------------------------------------------------

TRICKY = {
    "top": """import { count, next as more } from './count.js'
import { Named, own } from './named.js'
;[more(), more()]
const kept = 'top'
export async function all() { return [count.now, own, kept, new Named().word] }
export default (word) => `${word} ${kept}`
""",
    "count": """// Names that other modules have as well.
const kept = 'count'
export const count = { now: 0, kept }
export function next() { count.now += 1 }
""",
    "named": """import { count } from './count.js'
[count.kept].forEach((word) => { kept = word })
var kept
export class Named { word = kept }
export function* unused() { yield import.meta.url }
export const own = 'named'
""",
}


def serve(page, folder):
    """A page at http://localhost/ whose modules lie in a folder."""
    page.route("http://localhost/**", lambda route: route.fulfill(
        body="<!doctype html><title>Modules</title>", content_type="text/html"))  # fmt: skip
    page.route("http://localhost/**/*.js", lambda route: route.fulfill(
        path=folder / route.request.url.removeprefix("http://localhost/")))  # fmt: skip
    page.goto("http://localhost/")


LOAD = """async (script) => import(script.startsWith('./') ? new URL(script, location).href
  : URL.createObjectURL(new Blob([script], { type: 'text/javascript' })))"""


@pytest.mark.browser
def test_the_joined_module_does_what_the_browsers_own_modules_do(browser, tmp_path):
    entry = write(tmp_path, **TRICKY)
    context = browser.new_context()
    page = context.new_page()
    serve(page, tmp_path)
    use = f"async (script) => {{ const top = await ({LOAD})(script)\n"
    use += "return [Object.keys(top), await top.all(), top.default('said')] }"
    native, ours = page.evaluate(use, "./top.js"), page.evaluate(use, joined(entry))
    context.close()
    assert native == ours == [["all", "default"], [2, "named", "top", "count"], "said top"]


@pytest.mark.browser
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.stem)
def test_a_browser_takes_every_component_in_both_forms(browser, entry):
    context = browser.new_context()
    page = context.new_page()
    serve(page, SCREEN)
    page.evaluate(program().partition("\n")[0])  # what given.js finds
    use = f"async (script) => Object.entries(await ({LOAD})(script)).map("
    use += "([name, found]) => [name, typeof found])"
    native = page.evaluate(use, f"./{entry.relative_to(SCREEN).as_posix()}")
    ours = page.evaluate(use, joined(entry))
    context.close()
    assert native == ours
    assert native
