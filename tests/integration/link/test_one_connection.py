"""Everything reaches a hardened host over one ssh connection: two sessions, no forwarding, a link that drops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from console.paths import ROOT
from lab.link.cable import cable
from lab.link.sshd import Server, server
from verify.link.near_end import NotReached
from verify.link.start import command_line, ensure
from verify.link.target import Target

Done = subprocess.CompletedProcess[bytes]
DROP_SECONDS = 20


@pytest.fixture
def hardened(tmp_path: Path) -> Generator[Server]:
    with server(tmp_path / "sshd") as running:
        yield running


def run(target: Target, command: Sequence[str], stdin: bytes = b"") -> Done:
    """The command line of an action, as the engine runs it."""
    words = [sys.executable, *command_line(target, command)]
    return subprocess.run(words, input=stdin, capture_output=True, cwd=ROOT, timeout=100)


def test_a_command_has_its_stdin_its_output_and_its_exit_code(hardened: Server) -> None:
    done = run(hardened.target, ["sh", "-c", 'cat; echo "$1" >&2; exit 3', "x", "it's said"], b"given")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"given", b"it's said\n")


def test_thirty_commands_at_once_have_one_login(hardened: Server) -> None:
    def sum_of(number: int) -> bytes:
        return run(hardened.target, ["sha256sum"], bytes([number]) * 3_000_000).stdout.split()[0]

    with ThreadPoolExecutor(30) as pool:
        sums = list(pool.map(sum_of, range(30)))
    assert len(set(sums)) == 30
    assert hardened.logins() == 1


def test_ssh_with_the_docker_plugins_options_shares_the_connection_while_others_stay_open(hardened: Server) -> None:
    """The plugin keeps connections to Docker open for its whole life, each a command of its own."""
    target = hardened.target
    ensure(target)
    words = ["ssh", *target.options(), "-l", target.user, "-p", str(target.port), "--", target.address, "cat"]
    open_ones = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(8)]
    for one in open_ones:
        assert one.stdin and one.stdout
        one.stdin.write(b"GET\n")
        one.stdin.flush()
        assert one.stdout.readline() == b"GET\n"
    assert run(target, ["echo", "served"]).stdout == b"served\n"
    for one in open_ones:
        one.communicate(timeout=20)
    assert {one.returncode for one in open_ones} == {0}
    assert hardened.logins() == 1


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, format: str, *args: object) -> None:
        return


def test_a_port_of_the_host_is_reached_though_forwarding_is_forbidden(hardened: Server) -> None:
    ensure(hardened.target)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        words = hardened.target.tunnel("127.0.0.1", there.server_port)
        done = subprocess.run(words, input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, timeout=20)
        there.shutdown()
    assert done.stdout.startswith(b"HTTP/1.0 200") and done.stdout.endswith(b"x" * 100_000)
    refused = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert refused.returncode == 255 and b"Connection refused" in refused.stderr
    assert hardened.logins() == 1


def test_a_link_that_drops_for_20_s_only_delays_what_runs_and_what_starts(hardened: Server) -> None:
    with cable(hardened.target.port) as laid, ThreadPoolExecutor(2) as pool:
        target = replace(hardened.target, port=laid.own_port)
        ensure(target)
        running = pool.submit(run, target, ["sh", "-c", "cat; sleep 3; echo done"], b"begun ")
        time.sleep(1)
        laid.pull()
        started = pool.submit(run, target, ["echo", "later"])
        time.sleep(DROP_SECONDS)
        assert not running.done() and not started.done()
        laid.plug_in()
        assert running.result(20).stdout == b"begun done\n"
        assert started.result(20).stdout == b"later\n"
    assert hardened.logins() == 1


def test_the_first_connection_waits_for_a_link_that_is_down_for_20_s(hardened: Server) -> None:
    with cable(hardened.target.port) as laid, ThreadPoolExecutor(1) as pool:
        laid.pull()
        started = pool.submit(run, replace(hardened.target, port=laid.own_port), ["echo", "served"])
        time.sleep(DROP_SECONDS)
        laid.plug_in()
        assert started.result(20).stdout == b"served\n"


def test_after_a_lost_connection_the_verb_ends_there_and_the_next_one_finds_it(
    hardened: Server, tmp_path: Path
) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    # Output without a reader must not end it.
    script = (
        f"touch {begun}; while [ ! -e {tmp_path}/cut ]; do echo x; echo y >&2; sleep 0.05; done; echo z; touch {ended}"
    )
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, hardened.target, ["sh", "-ec", script])
        until(begun.exists)
        hardened.cut()
        done = running.result(20)
        assert done.returncode == 255
        assert done.stderr.decode().splitlines()[-1] == (
            "The connection to 127.0.0.1 was lost while a command ran there, which may still be at work: "
            "run the same command again, which continues."
        )
        (tmp_path / "cut").touch()
        until(ended.exists)
    assert run(hardened.target, ["echo", "again"]).stdout == b"again\n"
    assert hardened.logins() == 2


def test_a_verb_whose_caller_was_killed_ends_there(hardened: Server, tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    ensure(hardened.target)
    words = hardened.target.command_line(["sh", "-ec", f"touch {begun}; cat; echo written; touch {ended}"])
    caller = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    until(begun.exists)
    caller.kill()
    caller.wait()
    until(ended.exists)


def test_a_key_with_a_passphrase_is_the_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(tmp_path / "sshd", passphrase="the operator's own") as running:
        with pytest.raises(NotReached, match=r"Permission denied .*: add /.*/client to your agent \(`ssh-add`\)"):
            ensure(running.target)
        socket = tmp_path / "agent"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
        try:
            until(socket.exists)
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            (tmp_path / "answer").write_text('#!/bin/sh\necho "the operator\'s own"\n')
            (tmp_path / "answer").chmod(0o700)
            known = {**os.environ, "SSH_ASKPASS": str(tmp_path / "answer"), "SSH_ASKPASS_REQUIRE": "force"}
            subprocess.run(["ssh-add", "-q", running.target.private_key_file], env=known, check=True)
            assert run(running.target, ["echo", "served"]).stdout == b"served\n"
        finally:
            agent.terminate()
            agent.wait()


def test_a_host_with_an_ipv6_address_only_is_reached(tmp_path: Path) -> None:
    with server(tmp_path / "sshd", address="::1") as running:
        assert run(running.target, ["echo", "served"]).stdout == b"served\n"


@pytest.mark.skipif(os.getuid() != 0, reason="lays a folder over ~/.ssh in a mount namespace of its own, as root")
def test_a_jump_host_of_the_users_own_ssh_configuration_is_used(hardened: Server, tmp_path: Path) -> None:
    with server(tmp_path / "jump", AllowTcpForwarding="yes") as jump:
        far, user = replace(hardened.target, address="vps.internal"), jump.target.user
        (tmp_path / "user").mkdir(mode=0o700)
        (tmp_path / "user/known_hosts").write_text(f"[127.0.0.1]:{jump.target.port} {jump.target.host_key}\n")
        (tmp_path / "user/config").write_text(
            f"Host vps.internal\n HostName 127.0.0.1\n ProxyJump {user}@127.0.0.1:{jump.target.port}\n"
            f"Host 127.0.0.1\n IdentityFile {jump.target.private_key_file}\n"
        )
        home = Path.home() / ".ssh"
        home.mkdir(mode=0o700, exist_ok=True)
        lay = f'mount --bind {tmp_path}/user {home} && exec "$@"'
        words = ["unshare", "--mount", "sh", "-c", lay, "sh", sys.executable, *command_line(far, ["echo", "served"])]
        done = subprocess.run(words, capture_output=True, cwd=ROOT, timeout=60)
        assert (done.stdout, done.stderr) == (b"served\n", b"")
        assert (jump.logins(), hardened.logins()) == (1, 1)


def test_another_host_key_is_refused_in_one_sentence(hardened: Server, tmp_path: Path) -> None:
    with server(tmp_path / "other") as other:
        done = run(replace(hardened.target, host_key=other.target.host_key), ["true"])
    assert done.returncode == 255
    assert (
        done.stderr.decode()
        .strip()
        .endswith(
            "Host key verification failed: set host.host_key to the host's own key, once you know that it is your "
            "host, then run the same command again, which continues."
        )
    )
    assert len(done.stderr.decode().strip().splitlines()) == 1


def test_a_shell_that_prints_before_a_command_is_named(tmp_path: Path) -> None:
    with server(tmp_path / "sshd", ForceCommand="echo Welcome to the host, operator; sleep 60") as running:
        done = run(running.target, ["true"])
    assert done.returncode == 255
    assert b"'s shell on 127.0.0.1 prints something before a command" in done.stderr


def test_the_socket_is_the_users_alone_and_nobodys_folder_is_used(
    hardened: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(hardened.target)
    assert hardened.target.socket().parent.stat().st_mode & 0o777 == 0o700
    (tmp_path / "open").mkdir(mode=0o755)

    def elsewhere(_target: Target) -> Path:
        return tmp_path / "open/socket"

    monkeypatch.setattr(Target, "socket", elsewhere)
    with pytest.raises(NotReached, match="is not a folder of yours alone"):
        ensure(hardened.target)


def test_no_argument_of_the_connection_is_secret_and_the_request_is_in_none(hardened: Server) -> None:
    request = json.dumps({"token": "only on stdin"}).encode()
    shown = run(hardened.target, ["sh", "-c", "cat >/dev/null; cat /proc/[0-9]*/cmdline"], request)
    assert b"verify.link" in shown.stdout and b"only on" + b" stdin" not in shown.stdout


def until(true: Callable[[], bool]) -> None:
    """Wait for another process, which gives no event."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
