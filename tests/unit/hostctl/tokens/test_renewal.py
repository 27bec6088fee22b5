"""`token renew`: the nightly job's renewal of tokens, without the program."""

from __future__ import annotations

import json
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from hostctl import tokens
from hostctl.core.errors import Refusal
from hostctl.nightly import results, token_renewal
from hostctl.nightly.request import NO_MARKS, NightlyRequest
from hostctl.tokens import FileRequest, TokenRequest, renewal
from hostctl.tokens.renewal import RenewRequest
from tests.unit.hostctl.nightly.request import nightly_request

SECRET = "s" * 40
DAYS = 90
CLAIMS = {"sub": "claude", "role": "admin", "iss": "sentinel-gateway", "aud": "sentinel-gateway"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    return tmp_path


def request(home: Path, **values: Any) -> TokenRequest:
    members: dict[str, Any] = (
        {
            "path": str(home / "token"), "request_file": str(home / "tokens" / "claude.json"),
            "secret_file": str(home / "secret"), "issuer": CLAIMS["iss"], "audience": CLAIMS["aud"],
            "subject": CLAIMS["sub"], "role": CLAIMS["role"], "days": DAYS, "renew_share": 0.33, **values,
        }
    )  # fmt: skip
    return TokenRequest(**members)


def with_days_left(home: Path, days: float) -> str:
    """The token's file, as it is when so much of its life is left."""
    now = int(time.time())
    expires = now + int(days * 86400)
    made = jwt.encode({**CLAIMS, "iat": expires - DAYS * 86400, "exp": expires}, SECRET, algorithm="HS256")
    (home / "token").write_text(made + "\n")
    return made


def renewed(home: Path) -> dict[str, Any]:
    (row,) = renewal.renew(RenewRequest(str(home / "tokens")))["tokens"]
    return row


def accepted(made: str) -> dict[str, Any]:
    return jwt.decode(made, SECRET, algorithms=["HS256"], audience=CLAIMS["aud"], issuer=CLAIMS["iss"])


@pytest.mark.parametrize(("left", "is_renewed"), [(31, False), (29, True), (0.5, True), (-3, True)])
def test_a_token_is_renewed_when_less_than_its_share_is_left_and_not_before(
    home: Path, left: float, is_renewed: bool
) -> None:
    tokens.write(request(home))
    before = with_days_left(home, left)
    (home / "token").chmod(0o640)
    row = renewed(home)
    held = (home / "token").read_text().strip()
    assert (row["renewed"], held != before) == (is_renewed, is_renewed)
    assert accepted(held)["sub"] == "claude"
    assert row["days_left"] == pytest.approx(DAYS if is_renewed else left, abs=0.1)
    assert stat.S_IMODE((home / "token").stat().st_mode) == 0o600


def test_the_old_token_is_accepted_until_its_own_end(home: Path) -> None:
    tokens.write(request(home))
    before = with_days_left(home, 5)
    assert renewed(home)["renewed"] is True
    assert accepted(before)["exp"] < accepted((home / "token").read_text().strip())["exp"]


def test_the_next_run_of_the_program_finds_the_renewed_token_good(home: Path) -> None:
    tokens.write(request(home))
    with_days_left(home, 5)
    assert renewed(home)["renewed"] is True
    held = (home / "token").read_text()
    assert tokens.write(request(home))["kept"] is True
    assert (home / "token").read_text() == held


def test_a_token_of_contextforge_is_never_replaced(home: Path) -> None:
    tokens.write(request(home))
    theirs = jwt.encode({"sub": "claude", "iss": CLAIMS["iss"]}, "t" * 40, algorithm="HS256")
    (home / "token").write_text(theirs)
    row = renewed(home)
    assert (row["renewed"], (home / "token").read_text()) == (False, theirs)
    assert "does not hold a Sentinel token" in row["reason"]


def test_no_token_is_made_where_there_is_none(home: Path) -> None:
    tokens.write(request(home))
    (home / "token").unlink()
    assert renewed(home)["renewed"] is False
    assert not (home / "token").exists()


def test_after_the_rollback_nothing_is_renewed_and_no_file_is_left(home: Path) -> None:
    tokens.write(request(home))
    before = with_days_left(home, 1)
    assert tokens.forget(FileRequest(str(home / "token"), str(home / "tokens" / "claude.json")))["forgotten"] is True
    assert tokens.forget(FileRequest(str(home / "token"), str(home / "tokens" / "claude.json")))["forgotten"] is False
    assert renewal.renew(RenewRequest(str(home / "tokens"))) == {"tokens": []}
    assert (home / "token").read_text().strip() == before
    assert not (home / "tokens").exists()


def test_a_failed_renewal_is_reported_and_holds_up_no_other(home: Path) -> None:
    tokens.write(request(home))
    tokens.write(request(home, path=str(home / "other"), request_file=str(home / "tokens" / "a-first.json")))
    kept = json.loads((home / "tokens" / "a-first.json").read_text())
    (home / "tokens" / "a-first.json").write_text(json.dumps({**kept, "secret_file": str(home / "gone")}))
    before = with_days_left(home, 1)
    with pytest.raises(Refusal, match=r"the secret file .*gone cannot be read"):
        renewal.renew(RenewRequest(str(home / "tokens")))
    assert (home / "token").read_text().strip() != before


def test_a_kept_request_holds_no_secret(home: Path) -> None:
    tokens.write(request(home))
    kept = (home / "tokens" / "claude.json").read_text()
    assert SECRET not in kept and (home / "token").read_text().strip() not in kept


def nightly(home: Path) -> NightlyRequest:
    return replace(nightly_request(home), prometheus=NO_MARKS)


def test_the_nightly_step_reports_the_renewed_tokens_expiry_to_prometheus(home: Path) -> None:
    with_days_left(home, 60)
    tokens.write(request(home))
    with_days_left(home, 1)
    said = token_renewal.step(nightly(home))
    assert said["result"] == "done" and said["tokens"][0]["renewed"]
    ends = accepted((home / "token").read_text().strip())["exp"]
    line = f"sentinel_token_expires_timestamp_seconds {ends}"
    assert line in results.exposition(nightly(home)).splitlines()


def test_a_renewal_that_fails_still_reports_the_tokens_expiry(home: Path) -> None:
    with_days_left(home, 60)
    tokens.write(request(home))
    made = with_days_left(home, 1)
    (home / "secret").write_text("")
    with pytest.raises(Refusal):
        token_renewal.step(nightly(home))
    noted = results.noted(nightly(home), token_renewal.STEP)
    ends = jwt.decode(made, options={"verify_signature": False})["exp"]
    assert noted["result"] == "failed" and noted["reason"]
    assert noted["metrics"] == {"sentinel_token_expires_timestamp_seconds": ends}


def test_without_a_token_of_sentinel_the_step_is_done_and_reports_no_expiry(home: Path) -> None:
    assert token_renewal.step(nightly(home))["metrics"] == {}
