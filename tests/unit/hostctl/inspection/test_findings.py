"""`host inspect`: what would stop a run halfway is a problem with its fix, everything else stops nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from hostctl.inspection import inspect, rights, ssh_server
from hostctl.inspection.request import InspectRequest, NamedPort, NamedScript
from tests.unit.hostctl.listed_docker import answering

GOOD: dict[str, Any] = {
    "ServerVersion": "29.2.1", "Driver": "overlay2", "CgroupVersion": "2", "CgroupDriver": "systemd",
    "MemoryLimit": True, "SwapLimit": True, "SecurityOptions": ["name=seccomp,profile=builtin"],
    "FirewallBackend": {"Driver": "nftables"},
}  # fmt: skip
FOREIGN = {"Id": "f1", "Name": "/web", "State": {"Running": True}, "Mounts": None,
           "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "", "HostPort": "9090"}]}}}  # fmt: skip
Inspected = Callable[..., dict[str, list[dict[str, str]]]]


@pytest.fixture
def answers(tmp_path: Path) -> Generator[dict[str, Any]]:
    """Docker's answers by the end of a path; its socket is `docker.sock` in the test's folder."""
    info = {**GOOD, "DockerRootDir": str(tmp_path)}
    networks = [{"Name": "n8n_default"}, {"Name": "x"}]
    known = {"/version": {"ApiVersion": "1.51"}, "/info": info, "/networks": networks, "/containers/json": []}
    with answering(tmp_path, known):
        yield known


@pytest.fixture
def inspected(tmp_path: Path, answers: dict[str, Any]) -> Inspected:
    (tmp_path / "claude.json").write_text("{}")

    def run(**values: Any) -> dict[str, list[dict[str, str]]]:
        given: dict[str, Any] = {
            "folder": str(tmp_path / "product"), "docker_socket": str(tmp_path / "docker.sock"),
            "claude_file": str(tmp_path / "claude.json"), **values,
        }  # fmt: skip
        found: dict[str, list[dict[str, str]]] = {}
        for finding in inspect(InspectRequest(**given))["findings"]:
            found.setdefault(finding["part"], []).append(finding)
        return found

    return run


def test_a_good_host_has_no_problem_and_says_what_it_is(inspected: Inspected) -> None:
    found = inspected(networks=("n8n_default",), ports=(NamedPort("sentinel.port", 1),))
    assert not [one for part in found.values() for one in part if one["verdict"] == "problem"]
    assert found["docker"][0]["found"] == "29.2.1, overlay2, control groups 2 (systemd driver), nftables"
    assert found["folder"][0]["found"].endswith("/product will be made")
    assert found["ports"][0]["found"] == "1 (sentinel.port): free"


@pytest.mark.parametrize(
    ("change", "part", "words"),
    [
        ({"/info": {**GOOD, "MemoryLimit": False}}, "docker", "cannot limit a container's memory"),
        ({"/info": {**GOOD, "SecurityOptions": ["name=rootless"]}}, "docker", "Docker runs rootless"),
        ({"/networks": [{"Name": None}, {}]}, "networks", "there is no network n8n_default"),
        (
            {"/containers/json": [{"Id": "f1"}], "/containers/f1/json": FOREIGN},
            "ports",
            "port 9090 (prometheus.port) is held by web",
        ),
    ],
    ids=["limits", "rootless", "network", "port"],
)
def test_what_would_stop_a_run_is_a_problem(
    inspected: Inspected, answers: dict[str, Any], change: dict[str, Any], part: str, words: str
) -> None:
    answers |= change
    found = inspected(networks=("n8n_default",), ports=(NamedPort("prometheus.port", 9090),))
    problems = [one for one in found[part] if one["verdict"] == "problem"]
    assert [words in one["found"] for one in problems] == [True]


def test_a_silent_n8n_is_found_where_its_container_publishes_its_port(
    inspected: Inspected, answers: dict[str, Any]
) -> None:
    silent = "http://127.0.0.1:9"
    assert inspected(n8n=silent)["n8n"][0]["fix"] == "correct health_watch.url, or start n8n"
    ports = [{"PrivatePort": 5678, "PublicPort": 8567, "IP": "0.0.0.0", "Type": "tcp"}, {"PrivatePort": 5678}]
    answers["/containers/json"] = [{"Id": "f1", "Ports": ports}, {"Id": "f2", "Ports": None}]
    answers["/containers/f1/json"] = answers["/containers/f2/json"] = FOREIGN
    found = inspected(n8n=silent)["n8n"][0]
    assert (found["verdict"], found["fix"]) == ("note", "set health_watch.url to http://127.0.0.1:8567")


def test_a_job_that_prunes_docker_has_to_spare_what_a_rollback_needs(inspected: Inspected, tmp_path: Path) -> None:
    cron = tmp_path / "cron.d"
    cron.mkdir()
    (cron / "careless").write_text("0 3 * * 0 root docker system prune -af\n# docker image prune\n")
    (cron / "careful").write_text("0 3 * * 0 root docker image prune -af --filter label!=sentinel-cutover\n")
    (cron / "other").write_text("0 3 * * 0 root git remote prune origin\n")
    careful, careless = inspected(cron_folder=str(cron))["prune"]
    assert (careful["verdict"], careless["verdict"]) == ("ok", "note")
    assert "docker system prune -af" in careless["found"] and "label!=sentinel-cutover" in careless["fix"]


def test_a_port_of_our_own_monitoring_is_no_problem(inspected: Inspected, answers: dict[str, Any]) -> None:
    ours = {**FOREIGN, "Config": {"Labels": {"sentinel-cutover": "true"}}}
    answers |= {"/containers/json": [{"Id": "f1"}], "/containers/f1/json": ours}
    assert inspected(ports=(NamedPort("prometheus.port", 9090),))["ports"][0]["verdict"] == "ok"


def test_without_docker_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    request = InspectRequest(folder=str(tmp_path), docker_socket=str(tmp_path / "none.sock"))
    *_, last = inspect(request)["findings"]
    assert (last["part"], last["verdict"]) == ("docker", "problem") and "check that it runs" in last["found"]


def test_an_answer_that_cannot_be_read_is_not_checked(inspected: Inspected, answers: dict[str, Any]) -> None:
    del answers["/networks"]
    assert inspected(networks=("n8n_default",))["networks"][0]["verdict"] == "not checked"


def test_a_script_is_missing_in_a_work_tree_or_run_by_nobody(inspected: Inspected, tmp_path: Path) -> None:
    script = tmp_path / "code" / "a-script-of-nobodys.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    subprocess.run(["git", "init", "-q", str(script.parent)], check=True)
    subprocess.run(["git", "-C", str(script.parent), "add", "."], check=True)
    gone = tmp_path / "gone.sh"
    found = inspected(scripts=(NamedScript("firewall.script", str(script)), NamedScript("nightly.script", str(gone))))
    assert [one["verdict"] for one in found["scripts"]] == ["note", "note", "problem"]
    assert f"in {tmp_path}/code" in found["scripts"][0]["found"]
    assert "no table that this user may read runs" in found["scripts"][1]["found"]
    assert "does not exist" in found["scripts"][2]["found"]


def test_a_folder_that_this_user_may_not_write_is_a_problem_by_its_setting(
    inspected: Inspected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, backups = inspected(backups=str(tmp_path / "backups" / "deep"))["folder"]
    assert (folder["verdict"], backups["verdict"]) == ("ok", "ok")
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)  # type: ignore[reportUnknownLambdaType]
    folder, backups = inspected(backups=str(tmp_path / "backups"))["folder"]
    assert "set host.folder to" in folder["fix"] and "set nightly.folder to" in backups["fix"]


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping rights needs root")
def test_an_ordinary_user_is_refused_what_needs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 64207)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)  # type: ignore[reportUnknownLambdaType]
    request = InspectRequest(folder="/x", escalation="root", scheduler="cron", cron_folder=str(tmp_path))
    firewall, handover, scheduler = rights.jobs(request)
    assert handover.verdict == "note"
    assert (firewall.verdict, scheduler.verdict) == ("problem", "problem")
    assert "set firewall.escalation to container" in firewall.fix and "nightly.enabled" in scheduler.found


def test_sudo_that_is_missing_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    finding, *_ = rights.jobs(InspectRequest(folder="/x", escalation="sudo"))
    assert finding.verdict == "problem" and "set firewall.escalation to container" in finding.fix


def test_the_first_value_of_sshds_keyword_holds_and_an_include_is_read_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "hardened.conf").write_text("MaxSessions 2\nallowtcpforwarding=no\n")
    main = tmp_path / "sshd_config"
    main.write_text(f"# MaxSessions 9\nInclude {tmp_path}/*.conf\nMaxSessions 10\nMaxStartups 10:30:100\nMatch User a\n"
                    "PermitRootLogin yes\n")  # fmt: skip
    assert ssh_server.configured(str(main)) == {
        "maxsessions": "2", "allowtcpforwarding": "no", "maxstartups": "10:30:100",
    }  # fmt: skip
