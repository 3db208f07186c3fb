"""The manual page and the completions, read by the programs that they are for."""
import shutil
import subprocess

import pytest


def made(messina, kind):
    return subprocess.run([messina.binary, "generate", kind], env=messina.env, capture_output=True, text=True, check=True).stdout


def complete(messina, tmp_path, *words):
    """What bash offers after these words, the last of which is being typed."""
    script = tmp_path / "messina.bash"
    script.write_text(made(messina, "bash"))
    line = " ".join(f"'{word}'" for word in ("messina", *words))
    run = subprocess.run(["bash", "-c", f'source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _messina; '
                          'printf "%s\\n" "${COMPREPLY[@]}"'], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_bash_offers_commands_and_flags(messina, tmp_path):
    assert "copy" in complete(messina, tmp_path, "")
    assert "generate" not in complete(messina, tmp_path, "")
    assert complete(messina, tmp_path, "copy", "--read-r") == ["--read-rcu"]
    assert set(complete(messina, tmp_path, "rejects", "")) >= {"list", "export", "retry"}
    assert "--all" in complete(messina, tmp_path, "rejects", "list", "--")
    assert "--restart" not in complete(messina, tmp_path, "status", "--")
    (tmp_path / "orders.yaml").touch()
    assert complete(messina, tmp_path, "copy", "--plan", f"{tmp_path}/ord") == [f"{tmp_path}/orders.yaml"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_it(messina, tmp_path, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    script = tmp_path / f"messina.{shell}"
    script.write_text(made(messina, shell))
    subprocess.run([shell, "-n", script], check=True)


def test_the_manual_names_every_command_and_groff_takes_it(messina, tmp_path):
    page = made(messina, "man")
    for command in ("copy", "rejects list", "status", "selftest"):
        assert f".SS messina {command}\n" in page
    if not shutil.which("groff"):
        pytest.skip("groff is not installed here: the page's syntax was not tried")
    run = subprocess.run(["groff", "-Kutf8", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, text=True, check=True)
    assert run.stderr == ""
