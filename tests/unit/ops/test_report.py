"""`make report`: each claim by its evidence, the page and its twin, and no secret in either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.errors import UserError
from console.progress import Progress
from lab.doubles.discord.limits import CONTENT
from ops.commands import report as command
from ops.report import claims, evidence, page, plain
from ops.report.window import Window
from settings import Settings, load
from settings.model import SECRET_KEYS
from tests.unit.ops.report_facts import FORGE, NAMES, REASON, SENTINEL, attempts, facts, with_
from tests.unit.settings.cases import SMALLEST, configuration

VOID = {"meta"}


def report(**paths: Any) -> claims.Report:
    return claims.Report.of(with_(**paths))


def verdicts(found: claims.Report) -> dict[str, str]:
    return {part.name: part.verdict for part in found.parts if part.verdict}


def test_a_good_cutover_proves_all_but_what_nobody_checked() -> None:
    found = report()
    assert (found.headline, found.failed) == ("9 of 11 claims proven, 2 not checked", 0)
    assert {name for name, verdict in verdicts(found).items() if verdict == "not checked"} == {"backup", "restore"}
    assert (found.number, found.title) == (7, "Cutover to Sentinel")


@pytest.mark.parametrize(
    ("paths", "name", "verdict"),
    [
        ({"status__active": "contextforge"}, "port", "disproved"),
        ({"status__unfinished": {"at": "", "point": ""}}, "port", "disproved"),
        ({"seen__last__attempts": []}, "downtime", "not checked"),
        ({"seen__last__attempts": [[-30, -20, "answered"], [900, 905, "answered"]]}, "downtime", "disproved"),
        ({"verification__compared__ok": False}, "backends", "disproved"),
        ({"verification__claude": {"ok": False, "detail": "gone"}}, "claude", "disproved"),
        ({"verification__tokens": {"ok": False, "detail": "wrong token is accepted"}}, "claude", "disproved"),
        ({"gates": {"ok": True, "gates": [], "reason": "it has the port already"}}, "gates", "not checked"),
        ({"gates": None}, "gates", "not checked"),
        ({"verification__as_declared": {"ok": True, "containers": [], "differences": []}}, "running", "not checked"),
        ({"verification__bindings": {"ok": False, "listening": ["0.0.0.0 port 9200"]}}, "loopback", "disproved"),
        ({"firewall": {"reason": "firewall.enabled is false"}}, "firewall", "not checked"),
        ({"firewall__probe": {"error": "no image"}}, "firewall", "not checked"),
        ({"firewall__show__ok": False}, "firewall", "disproved"),
        ({"firewall__probe__ok": False}, "firewall", "disproved"),
        ({"rollback": {"error": "the volume is gone"}}, "rollback", "disproved"),
        ({"rollback": {"reason": "there was no predecessor"}}, "rollback", "not checked"),
        ({"rollback__proof": {"ok": False, "reason": "health: HTTP 503"}}, "rollback", "disproved"),
        ({"rollback__proof": {"ok": None, "reason": "it is stopped"}}, "rollback", "proven"),
        ({"seen__backup": {"result": "good", "at": "2026-11-27T00:00:00Z", "bytes": 42}}, "backup", "proven"),
        ({"seen__backup": {"result": "bad"}}, "backup", "disproved"),
        ({"seen__restore_drill": {"result": "good"}}, "restore", "proven"),
        ({"seen__restore_drill": {"result": "bad"}}, "restore", "disproved"),
        ({"seen__restore_drill": {"result": "could-not-check"}}, "restore", "not checked"),
        ({"seen__restore_drill": {"at": "2026-11-27T00:00:00Z"}}, "restore", "not checked"),
    ],
)
def test_each_claim_follows_its_evidence_and_no_other_does(paths: dict[str, Any], name: str, verdict: str) -> None:
    found = report(**paths)
    assert verdicts(found)[name] == verdict
    assert {**verdicts(found), name: ""} == {**verdicts(report()), name: ""}
    assert found.failed == (verdict == "disproved")


def test_a_backend_that_answers_no_longer_is_disproved_and_an_allowed_one_is_named() -> None:
    rows = [
        {**row, "result": "unreachable"} if row["name"] == "n8n" else row for row in facts()["verification"]["backends"]
    ]
    assert verdicts(report(verification__backends=rows))["backends"] == "disproved"
    assert REASON in plain.text(report())


def test_a_rollback_is_titled_as_one_and_has_no_gates() -> None:
    found = report(seen__last__active="contextforge", status__active="contextforge")
    assert (found.title, found.failed) == ("Rollback to ContextForge", 0)
    assert verdicts(found)["gates"] == "not checked" and "none may hold it up" in plain.text(found)


def test_a_forced_rollback_says_so() -> None:
    past = "FORCE=1: past failing gates"
    assert past not in plain.text(report())
    forced = report(seen__last__active="contextforge", status__active="contextforge", seen__last__force=True)
    assert past in plain.text(forced) and past in page.html(forced)


def test_the_picture_has_every_attempt_on_the_lane_of_its_result() -> None:
    window = Window.of(facts()["seen"]["last"])
    assert (window.silence, window.whole) == ((-17, 171), True)
    drawn = page.html(report())
    for picture in re.findall(r"<svg.*?</svg>", drawn, re.DOTALL):
        assert picture.count('<rect class="good"') == sum(one[2] == "answered" for one in attempts())
        assert picture.count('<rect class="bad"') == sum(one[2] != "answered" for one in attempts())
        boxes = re.findall(r'viewBox="0 0 (\d+) \d+"', picture)
        ends = [
            float(x) + float(wide) for x, wide in re.findall(r'<rect [^>]*x="([\d.]+)"[^>]*width="([\d.]+)"', picture)
        ]
        assert max(ends) <= float(boxes[0])


def test_a_handover_that_finished_what_a_killed_one_began_says_so() -> None:
    found = report(seen__last__downtime_ms=90_000)
    assert "the picture shows the one that finished the handover" in " ".join(plain.text(found).split())
    assert "The downtime was 1 min 30 s" in page.html(found)


class Parsed(HTMLParser):
    """The page's tags, closed in their order, and every address that it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID and tag not in ("rect", "line"):
            self.open.append(tag)
        self.loaded += [
            str(value) for name, value in attrs if name in ("src", "href") and not str(value).startswith("#")
        ]
        assert tag not in ("script", "link", "img", "iframe", "object")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None: ...

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_whole_and_loads_nothing() -> None:
    text = page.html(report())
    parsed = Parsed(text)
    assert (parsed.open, parsed.loaded) == ([], [])
    assert "url(" not in text and "@import" not in text
    assert "default-src &#x27;none&#x27;" in text


def test_what_a_host_says_is_no_markup() -> None:
    evil = '<script>alert("x")</script>'
    found = report(seen__host__name=evil, seen__last__by={"user": evil, "from": ""}, plugins={evil: "1"})
    assert evil not in page.html(found) and "&lt;script&gt;" in page.html(found)
    Parsed(page.html(found))


def test_the_twin_has_every_word_of_the_page() -> None:
    found, twin = report(), " ".join(plain.text(report()).split())
    for part in found.parts:
        assert part.title in twin and " ".join(part.sentence.split()) in twin
        for name, value in part.facts:
            assert f"{name} {' '.join(value.split())}" in twin if value else True
        for table in part.tables:
            assert all(cell.text in twin and cell.note in twin for row in table.rows for cell in row)


@pytest.mark.parametrize("many", [1, 400])
def test_the_short_form_fits_one_message_and_names_what_is_not_proven(many: int) -> None:
    words = plain.short(report(rollback={"error": "gone. " * many}))
    assert len(words) <= CONTENT
    assert words.startswith(
        "Cutover to Sentinel, stack prod, 2026-11-27 01:02:03 UTC: 8 of 11 claims proven, 1 disproved"
    )
    assert "[DISPROVED] The rollback stands: gone." in words


class Command:
    """A stack of which everything is known, and the requests to its host."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **changes: Any) -> None:
        self.posted: list[Mapping[str, Any]] = []
        self.settings: Settings = load(configuration(**changes), SECRET_KEYS)
        found = evidence.Gathered(self.settings, facts())

        def gathered(stack: str, progress: Progress) -> evidence.Gathered:
            return found

        monkeypatch.setattr(command.evidence, "gathered", gathered)
        monkeypatch.setattr(command, "REPORTS", tmp_path / "reports")
        monkeypatch.setattr(command.host, "run", self.run)
        self.progress = Progress(tmp_path / "log")

    def run(self, stack: str, settings: Settings, verb: str, word: str, document: Mapping[str, Any]) -> dict[str, Any]:
        assert (verb, word) == ("discord", "post")
        self.posted.append(document)
        return {"posted": True}

    def report(self, **more: bool) -> Any:
        return command.report("prod", self.progress, **{"send": False, "yes": True, **more})


def test_both_files_are_written_under_number_and_date_and_nothing_is_posted_unasked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Command(monkeypatch, tmp_path)
    result = made.report()
    assert sorted(one.name for one in (tmp_path / "reports").iterdir()) == [
        "prod-0007-2026-11-27.html",
        "prod-0007-2026-11-27.txt",
    ]
    assert (result.ok, result.document["number"], len(result.document["proven"])) == (True, 7, 9)
    assert result.document["not_checked"] == ["A backup is kept and was read back", "A restore drill succeeded"]
    assert made.posted == [] and "SEND=1" in result.document["posted"]


def test_with_send_the_short_form_goes_to_discord_and_the_address_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Command(monkeypatch, tmp_path)
    result = made.report(send=True)
    (posted,) = made.posted
    assert posted["webhook"] == SMALLEST["discord_webhook"] and "9 of 11 claims proven" in posted["content"]
    assert result.document["posted"] == "posted"
    written = "".join(one.read_text() for one in (tmp_path / "reports").iterdir())
    assert SMALLEST["discord_webhook"] not in str(result) + written


def test_a_question_that_nobody_can_answer_posts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = Command(monkeypatch, tmp_path)
    monkeypatch.setattr(command.question.sys, "stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: "\n"))
    assert made.report(yes=False).ok and made.posted == []
    monkeypatch.setattr(command.question.sys, "stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: "y\n"))
    assert made.report(yes=False).document["posted"] == "posted"


def test_a_refusal_of_discord_is_shown_and_the_report_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = Command(monkeypatch, tmp_path)

    def refuses(*_: Any) -> dict[str, Any]:
        raise UserError("Discord answers 404 for the webhook")

    monkeypatch.setattr(command.host, "run", refuses)
    result = made.report(send=True)
    assert (result.ok, result.document["posted"]) == (True, "not posted: Discord answers 404 for the webhook")


def test_every_backend_and_gateway_is_named_on_the_page() -> None:
    words = " ".join(Parsed(page.html(report())).words)
    assert [name for name in (*NAMES, FORGE, SENTINEL) if name not in words] == []
