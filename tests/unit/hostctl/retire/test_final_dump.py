"""ContextForge's files are copied before they go."""

from __future__ import annotations

from pathlib import Path

from hostctl.retire import final_dump


def test_files_are_kept_for_the_owner_alone_before_they_go(tmp_path: Path) -> None:
    forge, kept = tmp_path / "forge", tmp_path / "retired"
    forge.mkdir()
    (forge / ".env").write_text("KEY=1\n")
    (forge / "theirs").write_text("theirs")
    final_dump.make_folder(str(kept))
    answer = final_dump.keep_files(str(kept), [str(forge / ".env")])
    tar = Path(answer["path"])
    assert (tar.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o600, 0o700)
    again = final_dump.keep_files(str(kept), [])
    assert again["path"] == answer["path"]
