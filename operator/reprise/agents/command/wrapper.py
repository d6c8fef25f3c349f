"""Run a command-line agent, then hand in the answer that it has left: one file, standard library, Python 3.8.

    python3 wrapper.py [--answer FILE] [--seconds N] [--grace N] -- COMMAND [ARGUMENT...]

Runs in images that are not ours, so it imports nothing but the standard library; `--install FOLDER` copies it
there. The command gets, beside its own environment: TASK_FILE (the task as text), ANSWER_FILE (where to
leave the answer, JSON), and the gateway's GATEWAY_URL, TOKEN_FILE, CA_FILE and KUBECONFIG. It may also POST
/submit itself.

Exit codes: 0 handed in, by us or by the command; 1 the agent's own failure; 75 not the agent's failure: the
gateway or the model's endpoint cannot be used. What the command exits with is never taken for 75: the
endpoint is asked.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

DONE, AGENT_FAILED, INFRA_FAILED = 0, 1, 75
ANSWER_BYTES = 256 * 1024
_MESSAGE_BYTES = 4000
_PATIENCE_SECONDS = 30.0
_PROBE_SECONDS = 20.0


class Infrastructure(Exception):
    """Not the agent's fault."""


class Refused(Exception):
    """The gateway answered with an error; `status` is HTTP's."""

    def __init__(self, status, message):
        super().__init__("%d: %s" % (status, message))
        self.status = status


# -- the gateway and the model's endpoint --------------------------------------------------------------


def _opener(url):
    # The way out is direct: no proxies of the environment.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https://"):
        context = ssl.create_default_context(cafile=os.environ.get("CA_FILE") or None)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def ask(method, path, body=None):
    """One request to the gateway; returns the body. Raises Refused, Infrastructure."""
    url = os.environ.get("GATEWAY_URL", "").rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise Infrastructure("expected an http(s) URL in GATEWAY_URL, found %r" % url)
    try:
        token = Path(os.environ.get("TOKEN_FILE", "")).read_text().strip()
        opener = _opener(url)
    except OSError as exc:
        raise Infrastructure("expected readable TOKEN_FILE and CA_FILE, found: %s" % exc) from exc
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data=body, headers=headers, method=method)  # noqa: S310
    began = time.monotonic()
    while True:
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.read(1 << 20)
        except urllib.error.HTTPError as exc:
            with exc:
                text = exc.read(10000).decode("utf-8", "replace")
            if exc.code >= 500:
                raise Infrastructure("gateway: %s %s: %d: %s" % (method, path, exc.code, text[:500])) from exc
            raise Refused(exc.code, _message(text)) from exc
        except (OSError, http.client.HTTPException) as exc:
            # A pod's network may need a moment; an answer that may have arrived is not sent twice.
            refused = isinstance(getattr(exc, "reason", exc), ConnectionRefusedError)
            if (method == "GET" or refused) and time.monotonic() - began < _PATIENCE_SECONDS:
                time.sleep(0.5)
                continue
            raise Infrastructure("gateway: %s %s: no answer: %s" % (method, path, exc)) from exc


def _message(text):
    try:
        found = json.loads(text)
    except ValueError:
        return text[:500]
    return str(found.get("message", text))[:500] if isinstance(found, dict) else text[:500]


def probe_model():
    """What keeps the model's endpoint from working; "" when it answers, or when none was named."""
    endpoint = os.environ.get("MODEL_ENDPOINT", "").rstrip("/")
    if not endpoint:
        return ""
    headers = {}
    try:
        if os.environ.get("MODEL_KEY_FILE"):
            headers["Authorization"] = "Bearer " + Path(os.environ["MODEL_KEY_FILE"]).read_text().strip()
        request = urllib.request.Request(endpoint + "/models", headers=headers)  # noqa: S310
        handlers = [urllib.request.ProxyHandler({})]
        with urllib.request.build_opener(*handlers).open(request, timeout=_PROBE_SECONDS):
            return ""
    except urllib.error.HTTPError as exc:
        exc.close()
        # An endpoint need not list its models.
        bad = exc.code in (401, 403, 429) or exc.code >= 500
        return "model endpoint %s: %d" % (endpoint, exc.code) if bad else ""
    except (OSError, ValueError, http.client.HTTPException) as exc:
        return "model endpoint %s: cannot be reached: %s" % (endpoint, exc)


# -- the command ---------------------------------------------------------------------------------------


class Command:
    """The command in a process group of its own."""

    def __init__(self, arguments, environ, grace):
        self._grace = grace
        self._process = subprocess.Popen(
            arguments, env=environ, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def wait(self, seconds):
        """How it ended: (exit code or None, why it was stopped or "")."""
        why = ""
        try:
            _on_termination(_interrupt)
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            why = "took longer than %d s" % seconds
        except InterruptedError:
            why = "was stopped from outside"
        # What is left to do is short, and must be done.
        _on_termination(signal.SIG_IGN)
        if why:
            why += self._stop()
        # What it has left behind must not outlive it.
        self._signal(signal.SIGKILL)
        return self._process.wait(), why

    def _stop(self):
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            return " and did not end within %d s of SIGTERM; killed" % self._grace
        return ""

    def _signal(self, number):
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _interrupt(number, frame):
    raise InterruptedError


def _on_termination(handler):
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def read_answer(path):
    """The bytes of the answer; None when there is none. Raises ValueError for what is no small regular file.

    A large file is not read, a pipe not waited for, and a link not followed.
    """
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ValueError("expected a regular file, found: %s" % exc) from exc
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("expected a regular file, found another kind")
        if found.st_size > ANSWER_BYTES:
            raise ValueError("expected at most %d bytes, found %d" % (ANSWER_BYTES, found.st_size))
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(ANSWER_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > ANSWER_BYTES:
        raise ValueError("expected at most %d bytes, found more" % ANSWER_BYTES)
    return data or None


def settle(answer, ending):
    """Hand in what the command has left, or find that it has handed in itself. Returns (code, reason)."""
    try:
        data = read_answer(answer)
    except ValueError as exc:
        return AGENT_FAILED, "answer file: %s; %s" % (exc, ending)
    try:
        if data is None:
            ask("GET", "/attempt")
            return AGENT_FAILED, "%s without an answer: no answer file, and nothing was submitted" % ending
        ask("POST", "/submit", data)
        return DONE, "handed in"
    except Refused as exc:
        if data is None and exc.status in (401, 410, 429):
            return DONE, "the attempt is over: %s" % exc
        if exc.status == 409:
            return DONE, "the command has handed in itself"
        return AGENT_FAILED, "the answer was refused: %s" % exc


def run(options):
    """One attempt; returns (code, reason). Raises Infrastructure."""
    folder = Path(os.environ.get("HOME") or ".")
    try:
        task = ask("GET", "/instructions")
    except Refused as exc:
        raise Infrastructure("gateway: %s" % exc) from exc
    problem = probe_model()
    if problem:
        raise Infrastructure(problem)
    answer = Path(options.answer or folder / "answer.json")
    task_file = folder / "task.txt"
    task_file.write_bytes(task)
    environ = dict(os.environ, TASK_FILE=str(task_file), ANSWER_FILE=str(answer))
    try:
        command = Command(options.command, environ, options.grace)
    except OSError as exc:
        raise Infrastructure("expected a command that can be run, found: %s" % exc) from exc
    code, stopped = command.wait(options.seconds)
    ending = "the command %s" % (stopped or "ended with exit code %d" % code)
    end, reason = settle(answer, ending)
    if end == AGENT_FAILED and code != 0:
        # Only now: an agent that found its answer needs no endpoint any more.
        problem = probe_model()
        if problem:
            raise Infrastructure("%s; %s" % (problem, ending))
    return end, reason


def last_words(code, reason):
    """Where the kubelet and people look."""
    line = " ".join(reason.split()).encode()[:_MESSAGE_BYTES].decode("utf-8", "ignore")
    path = Path(os.environ.get("TERMINATION_LOG", "/dev/termination-log"))
    if path.is_file():
        try:
            path.write_text(line)
        except OSError as exc:
            print("%s: cannot be written: %s" % (path, exc), file=sys.stderr)
    print(line, file=sys.stderr, flush=True)
    return code


def main(arguments):
    options = argparse.ArgumentParser(prog="wrapper", description="a command-line agent as an attempt")
    options.add_argument(
        "--answer", default="", help="where the command leaves its answer; default ~/answer.json"
    )
    options.add_argument("--seconds", type=float, default=86400.0, help="how long the command may take")
    options.add_argument("--grace", type=float, default=10.0, help="seconds from SIGTERM to SIGKILL")
    options.add_argument("--install", default="", help="copy this file into a folder and do nothing else")
    options.add_argument("command", nargs=argparse.REMAINDER)
    given = options.parse_args(arguments)
    if given.install:
        shutil.copy(__file__, given.install)
        return DONE
    given.command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not given.command:
        options.error("expected a command after --")
    try:
        return last_words(*run(given))
    except Infrastructure as exc:
        return last_words(INFRA_FAILED, str(exc))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
