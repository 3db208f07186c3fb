"""The examples in README.md and docs/ are run as they stand there.

A fenced block marked `console` is run line by line: what follows "$ " is a command (a line that ends with a backslash goes
on in the next), the lines below it are what it prints, where "…" stands for anything, also for whole lines. Commands must
end with 0, or with N where an HTML comment before the block says `<!-- exit N -->`. Blocks of other languages are not run,
but those marked `yaml plan` must load as plans.

The examples name `scylla-1:8000` and DynamoDB in us-east-1; here a simulator stands for both.
"""
import pathlib
import re
import subprocess

import pytest

from conftest import load, make_table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"(?:<!-- exit (\d) -->\n+)?^```console\n(.*?)^```", re.M | re.S)
PLAN = re.compile(r"^```yaml plan\n(.*?)^```", re.M | re.S)
TEXTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
DOCUMENTS = [p for p in TEXTS
             if BLOCK.search(p.read_text(encoding="utf-8")) or PLAN.search(p.read_text(encoding="utf-8"))]
# What test_steering.py and test_watching.py run, and show of a copy at work.
RUNNING_JOBS = {"copy", "status", "pause", "resume", "set"}


def name_of(path):
    return str(path.relative_to(ROOT))


def commands(block):
    """[(command, expected output lines)]"""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and not found[-1][1] and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        elif found:
            found[-1][1].append(line)
    return found


def pattern(lines):
    text = "\n".join(lines).strip()
    escaped = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", text))
    return re.compile(escaped, re.S)


def anchors(text):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere():
    for document in TEXTS:
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            there = (document.parent / path).resolve() if path else document
            assert there.exists(), f"{document.relative_to(ROOT)}: {link}"
            if anchor:
                assert anchor in anchors(there.read_text(encoding="utf-8")), f"{document.relative_to(ROOT)}: {link}"


def test_every_document_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    files = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.*")} - {"README.md"}
    assert files == set(re.findall(r"\]\(([^):#]+)\)", index))


@pytest.mark.parametrize("document", TEXTS, ids=name_of)
def test_what_can_be_run_is_run(document):
    """A block of another language shows commands only for what a test of its own runs: a job that is still at work."""
    for language, block in re.findall(r"^```(.*)\n(.*?)^```", document.read_text(encoding="utf-8"), re.M | re.S):
        if language != "console" and re.search(r"^\$ ", block, re.M):
            shown = re.findall(r"^\$ messina (\S+)", block, re.M)
            assert language == "text" and set(shown) <= RUNNING_JOBS, f"```{language}: {block}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_examples(sims, messina, binaries, tmp_path, document):
    sim = sims()
    make_table(sim.dynamodb, "orders", [("id", "S", "HASH")])
    load(sim.dynamodb, "orders", ({"id": {"S": f"o{i}"}, "old_name": {"S": "x"}, "total": {"N": str(i)}} for i in range(500)))
    make_table(sim.dynamodb, "customers", [("id", "S", "HASH")])
    # One customer stands in the way of a rename of `mail` to `email`.
    load(sim.dynamodb, "customers", (
        {"id": {"S": f"c{i}"}, "mail": {"S": f"{i}@a.example"}, **({"email": {"S": "old"}} if i == 7 else {})} for i in range(50)))
    env = dict(messina.env, AWS_REGION="us-east-1", AWS_ENDPOINT_URL_DYNAMODB=f"http://{sim.dynamodb_address}",
               PATH=f"{binaries}:{messina.env['PATH']}")

    def real(text):
        return text.replace("scylla-1:8000", sim.alternator_addresses[0])

    text = document.read_text(encoding="utf-8")
    for number, plan in enumerate(PLAN.findall(text)):
        (tmp_path / f"plan{number or ''}.yaml").write_text(real(plan))
    for exit_code, block in BLOCK.findall(text):
        for command, expected in commands(block):
            done = subprocess.run(["bash", "-c", real(command)], cwd=tmp_path, env=env, text=True, timeout=120,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            said = f"$ {command}\n{done.stdout}"
            assert done.returncode == int(exit_code or 0), said
            if expected:
                assert pattern([real(line) for line in expected]).search(done.stdout), said


def test_every_flag_is_documented(binaries):
    """Each flag that --help knows stands in docs/use/commands.md."""
    documented = (ROOT / "docs" / "use" / "commands.md").read_text(encoding="utf-8")
    for command in ("migrate", "capture", "apply", "copy", "copy-unit", "schema", "check", "policy", "status", "rejects"):
        help_text = subprocess.run([binaries / "messina", command, "--help"], text=True, check=True,
                                   stdout=subprocess.PIPE).stdout
        missing = {flag for flag in re.findall(r"--[a-z][a-z-]+", help_text) if flag not in documented}
        assert not missing, f"{command}: {sorted(missing)}"


def test_every_command_is_documented(binaries):
    """Each command that --help lists has a heading of its own, or a part in one, in docs/use/commands.md."""
    documented = (ROOT / "docs" / "use" / "commands.md").read_text(encoding="utf-8")
    headed = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^## (.*)$", documented, re.M))))
    help_text = subprocess.run([binaries / "messina", "--help"], text=True, check=True, stdout=subprocess.PIPE).stdout
    listed = set(re.findall(r"^  ([a-z-]+) {2,}[A-Z]", help_text.split("Subcommands:")[1].split("Addresses")[0], re.M))
    assert len(listed) > 10 and listed <= headed
