"""A process that does one job at a time and is killed when one takes too long.

A stranger's file can crash or hang what reads it (libsndfile, music21). That costs the process, and
the next job gets a new one. It is a subprocess with pipes, not `multiprocessing`: a spawned child
would import the parent's main module again, which under a web server is the whole app.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any, Self, cast

from dj_core.product import IMPORT_FOLDER

Answer = tuple[dict[str, Any], bytes | memoryview]
"""What JSON can hold, and bytes beside it."""


class WorkerProcess:
    """The parent's side; a context manager. The worker's is `serve` of `module`."""

    def __init__(self, module: str, seconds_to_start: float) -> None:
        """Keep what to run, and how long it may take until it is ready; nothing is started yet."""
        self.module, self.seconds_to_start = module, seconds_to_start
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> bool:
        """Have a process that is ready; False where it does not become so in time."""
        if self._process is not None and self._process.poll() is None:
            return True
        self.close()
        search_path = os.pathsep.join(
            filter(None, [str(IMPORT_FOLDER), os.environ.get("PYTHONPATH")])
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {self.module} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": search_path},
        )
        if self._exchange(b"", b"", self.seconds_to_start) is None:
            self.close()
            return False
        return True

    def ask(
        self, question: Mapping[str, Any], content: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes] | None:
        """The answer to a question; None where the process died or was killed. `start` it before.

        Args:
            question: what JSON can hold.
            content: sent beside it.
            seconds: by the clock, after which the process is killed.
        """
        line = json.dumps({**question, "bytes": len(content)}).encode() + b"\n"
        answer = self._exchange(line, content, seconds)
        if answer is None:
            self.close()
        return answer

    def close(self) -> None:
        """End the process; `start` has another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                cast("IO[bytes]", pipe).close()

    def _exchange(
        self, line: bytes, content: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes] | None:
        process = cast("subprocess.Popen[bytes]", self._process)
        questions, answers = cast("tuple[IO[bytes], IO[bytes]]", (process.stdin, process.stdout))
        alarm = threading.Timer(seconds, process.kill)
        alarm.start()
        try:
            questions.write(line)
            questions.write(content)
            questions.flush()
            head_line = answers.readline()
            if not head_line.endswith(b"\n"):
                return None
            head: dict[str, Any] = json.loads(head_line)
            size = head.pop("bytes")
            beside = answers.read(size)
            return (head, beside) if len(beside) == size else None
        except (OSError, ValueError):  # it died between two jobs, or was closed meanwhile
            return None
        finally:
            alarm.cancel()


def answer_questions(
    prepare: Callable[[], object], answer: Callable[[dict[str, Any], bytes], Answer]
) -> None:
    """The worker's loop: questions from stdin, answers to stdout, until stdin ends.

    Args:
        prepare: slow imports, before the clock of a job runs.
        answer: to a question and the bytes beside it.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    sys.stdout = sys.stderr  # whatever else prints is not an answer

    def send(head: Mapping[str, Any], beside: bytes | memoryview = b"") -> None:
        size = memoryview(beside).nbytes
        answers.write(json.dumps({**head, "bytes": size}).encode() + b"\n")
        answers.write(beside)
        answers.flush()

    prepare()
    send({"ready": True})
    for line in sys.stdin.buffer:
        question = json.loads(line)
        send(*answer(question, sys.stdin.buffer.read(question.pop("bytes"))))
