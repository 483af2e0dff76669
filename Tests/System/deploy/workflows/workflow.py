"""The workflows of a tree, and what is wrong with them: each rule answers with a list of sentences, empty when it holds.

The schema and the auditors know the language; the rules here know the tree, so that a name that stands in a workflow is
a job, an output, an input, a make target or a program that is there.
"""

import itertools
import os
import pathlib
import re
import shlex
import subprocess
import sys

import yaml

from support.project import ROOT

FOLDER = ".github/workflows"
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)")
LEVELS = {"none": 0, "read": 1, "write": 2}
HELP_SECONDS = 20


class Tree:
    """All workflows below a root, parsed."""

    def __init__(self, root=ROOT):
        self.root = pathlib.Path(root)
        self.paths = sorted((self.root / FOLDER).glob("*.yml"))
        self.workflows = {path.name: yaml.safe_load(path.read_text()) for path in self.paths}

    def jobs(self):
        """Every (workflow's file name, job's name, job)."""
        for file, workflow in self.workflows.items():
            for name, job in workflow["jobs"].items():
                yield file, name, job

    def steps(self):
        """Every (where it stands, job, its index, step)."""
        for file, name, job in self.jobs():
            for index, step in enumerate(job.get("steps", [])):
                yield f"{file}, {name}, {step.get('name', step.get('uses', index))}", job, index, step

    def runs(self):
        """Every (where it stands, the workflow, job, step) that has a run block."""
        for file, name, job in self.jobs():
            for index, step in enumerate(job.get("steps", [])):
                if "run" in step:
                    yield f"{file}, {name}, {step.get('name', index)}", self.workflows[file], job, step

    def run(self, file, job, name):
        """The run block of one named step."""
        (found,) = [step for step in self.workflows[file]["jobs"][job]["steps"] if step.get("name") == name]
        return found["run"]

    def called(self, job):
        """The workflow of this tree that a job calls, None when it calls none or there is no such file."""
        return self.workflows.get(pathlib.Path(job["uses"]).name) if job.get("uses", "").startswith("./") else None


def triggers(workflow):
    """What starts it. YAML 1.1 reads the key `on` as true."""
    return workflow.get("on", workflow.get(True)) or {}


def listed(value):
    return [value] if isinstance(value, str) else list(value or [])


def texts(value):
    """Every string within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def references(value, context):
    """Every name behind `context.` within the expressions of a value; an `if` is an expression without braces."""
    for text in texts(value):
        for expression in EXPRESSION.findall(text) or ([text] if text.strip().startswith(f"{context}.") else []):
            yield from re.findall(rf"(?<![\w.]){context}\.([\w-]+)(?:\.([\w-]+))?(?:\.([\w-]+))?", expression)


def unpinned(tree):
    """An action's tag may be moved; a commit's hash may not, and the comment says to people which version it is."""
    for path in tree.paths:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r"\s*(?:- )?uses:\s*(\S+)\s*(?:#\s*(\S+))?", line)
            if not found or found[1].startswith("./"):
                continue
            if not PINNED.fullmatch(found[1]):
                yield f"{path.name}:{number}: {found[1]} is not pinned by a commit's hash"
            elif not re.fullmatch(r"v\d+\.\d+\.\d+", found[2] or ""):
                yield f"{path.name}:{number}: {found[1]} does not say its version"


def inconsistent_pins(tree):
    """One action, one commit."""
    seen = {}
    for where, _, _, step in tree.steps():
        action, _, commit = step.get("uses", "").partition("@")
        if commit and seen.setdefault(action, commit) != commit:
            yield f"{where}: {action} is pinned elsewhere at {seen[action]}"


def unlimited(tree):
    """Each job says what it may do and how long it may take; a called workflow's jobs say the latter themselves."""
    for file, workflow in tree.workflows.items():
        if workflow.get("permissions") != {}:
            yield f"{file}: what no job asks for must be denied: permissions: {{}}"
    for file, name, job in tree.jobs():
        if not isinstance(job.get("permissions"), dict):
            yield f"{file}, {name}: no permissions of its own"
        if "uses" not in job and not isinstance(job.get("timeout-minutes"), int):
            yield f"{file}, {name}: no timeout-minutes"


def unmet_needs(tree):
    """Jobs that a job waits for, or speaks of, exist and are waited for; no circle."""
    for file, name, job in tree.jobs():
        jobs = tree.workflows[file]["jobs"]
        needs = listed(job.get("needs"))
        for needed in needs:
            if needed not in jobs:
                yield f"{file}, {name}: needs {needed}, and there is no such job"
        for other, kind, output in references(job, "needs"):
            if other not in needs:
                yield f"{file}, {name}: speaks of {other} without needing it"
            elif kind == "outputs" and other in jobs and output not in outputs(tree, jobs[other]):
                yield f"{file}, {name}: {other} has no output {output}"
        reached, ahead = set(), list(needs)
        while ahead:
            needed = ahead.pop()
            if needed in jobs and needed not in reached:
                reached.add(needed)
                ahead += listed(jobs[needed].get("needs"))
        if name in reached:
            yield f"{file}, {name}: waits for itself"


def outputs(tree, job):
    """Names of what a job gives to those after it."""
    called = tree.called(job)
    if called:
        return (triggers(called).get("workflow_call") or {}).get("outputs") or {}
    return job.get("outputs") or {}


def unmet_outputs(tree):
    """An output of a step stands in an earlier step's script; one of a workflow is one of its jobs."""
    for file, workflow in tree.workflows.items():
        call = triggers(workflow).get("workflow_call") or {}
        for job, kind, output in references(call.get("outputs"), "jobs"):
            if (
                job not in workflow["jobs"]
                or kind != "outputs"
                or output not in (workflow["jobs"][job].get("outputs") or {})
            ):
                yield f"{file}: there is no jobs.{job}.{kind}.{output}"
    for file, name, job in tree.jobs():
        steps = job.get("steps", [])
        spoken = [(len(steps), job.get("outputs")), (len(steps), job.get("environment")), *enumerate(steps)]
        for index, part in spoken:
            before = {step["id"]: step for step in steps[:index] if "id" in step}
            for step, kind, output in references(part, "steps"):
                if step not in before:
                    yield f"{file}, {name}: there is no earlier step {step}"
                elif kind == "outputs" and "run" in before[step]:
                    if not re.search(rf"""['"]{re.escape(output)}=""", before[step]["run"]):
                        yield f"{file}, {name}: {step} writes no {output}"


def unmet_inputs(tree):
    """Inputs that are spoken of are declared; those of a called workflow are given; matrices have what is asked of them."""
    for file, workflow in tree.workflows.items():
        kinds = triggers(workflow) if isinstance(triggers(workflow), dict) else {}
        declared = {}
        for kind in ("workflow_call", "workflow_dispatch"):
            declared |= (kinds.get(kind) or {}).get("inputs") or {}
        for name, *_ in references(workflow, "inputs"):
            if name not in declared:
                yield f"{file}: there is no input {name}"
    for file, name, job in tree.jobs():
        matrix = (job.get("strategy") or {}).get("matrix") or {}
        for key, *_ in references(job, "matrix"):
            if key not in matrix:
                yield f"{file}, {name}: the matrix has no {key}"
        if "uses" not in job or not job["uses"].startswith("./"):
            continue
        called = tree.called(job)
        if called is None or not (tree.root / job["uses"]).is_file():
            yield f"{file}, {name}: there is no {job['uses']}"
            continue
        if "workflow_call" not in triggers(called):
            yield f"{file}, {name}: {job['uses']} cannot be called"
        wanted = (triggers(called).get("workflow_call") or {}).get("inputs") or {}
        given = job.get("with") or {}
        yield from (f"{file}, {name}: {job['uses']} takes no {key}" for key in given if key not in wanted)
        for key, value in wanted.items():
            if value.get("required") and key not in given:
                yield f"{file}, {name}: {job['uses']} needs {key}"


def exceeded_permissions(tree):
    """A called workflow that asks for more than its caller has does not start at all."""
    for file, name, job in tree.jobs():
        for inner, wanted in ((tree.called(job) or {}).get("jobs") or {}).items():
            for scope, level in (wanted.get("permissions") or {}).items():
                if LEVELS[level] > LEVELS[(job.get("permissions") or {}).get(scope, "none")]:
                    yield f"{file}, {name}: {inner} asks for {scope}: {level}, which the caller does not have"


def expressions_in_scripts(tree):
    """GitHub writes an expression's value into the script before a shell reads it; a variable's is never read as code."""
    for where, _, _, step in tree.runs():
        for expression in EXPRESSION.findall(step["run"]):
            yield f"{where}: ${{{{{expression}}}}} stands in the script, not in env"


def unset_variables(tree):
    """A script's variables come by env, from the runner, or from the script itself."""
    for where, workflow, job, step in tree.runs():
        given = {name for part in (workflow, job, step) for name in part.get("env") or {}}
        given |= set(re.findall(r"^\s*(?:read -r |export |readonly )?([A-Z][A-Z0-9_]+)=", step["run"], re.MULTILINE))
        for name in sorted(set(VARIABLE.findall(step["run"])) - given):
            if not name.startswith(("GITHUB_", "RUNNER_")):
                yield f"{where}: nobody sets {name}"


def commands(script):
    """The words of each simple command of a script; what shlex cannot split is left to shellcheck."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue
        for separator, group in itertools.groupby(words, lambda word: set(word) <= set("|&;()")):
            group = list(group)
            if not separator and group[0]:
                yield group


def settings(workflow, job, step):
    """The step's environment for each entry of the job's matrix, and each choice of an input."""
    matrix = (job.get("strategy") or {}).get("matrix") or {}
    axes = {f"matrix.{key}": values for key, values in matrix.items() if isinstance(values, list)}
    events = triggers(workflow)
    inputs = ((events.get("workflow_dispatch") if isinstance(events, dict) else None) or {}).get("inputs") or {}
    axes |= {f"inputs.{key}": one["options"] for key, one in inputs.items() if "options" in one}
    for entry in itertools.product(*axes.values()):
        values = dict(zip(axes, entry))
        yield {
            name: EXPRESSION.sub(
                lambda found: str(values.get(found[1].strip(), found[0])), str(text)
            )
            for name, text in (step.get("env") or {}).items()
        }


def unmet_commands(tree):
    """What scripts call of this tree is there: make targets, programs and their options, Terraform's folders."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (tree.root / "Makefile").read_text(), re.MULTILINE))
    seen = set()
    for where, workflow, job, step in tree.runs():
        for environment in settings(workflow, job, step):
            script = re.sub(r"\$\{?([A-Z_]+)\}?", lambda found: environment.get(found[1], found[0]), step["run"])
            for program, *words in commands(script):
                for finding in unmet_command(tree.root, targets, program, words):
                    if (where, finding) not in seen:
                        seen.add((where, finding))
                        yield f"{where}: {finding}"


def unmet_command(root, targets, program, words):
    if program == "make":
        yield from (f"make has no target {word}" for word in words if re.match("[a-z]", word) and word not in targets)
    elif re.match(r"(\./)?(deploy|scripts|\.ci)/", program):
        if not os.access(root / program, os.X_OK) or not (root / program).is_file():
            yield f"there is no program {program}"
            return
        known = known_options(root / program)
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            if not re.search(rf"{re.escape(option)}(?![\w-])", known):
                yield f"{program} has no option {option}"
    elif program == "terraform":
        for word in words:
            folder = word.removeprefix("-chdir=")
            if folder.startswith("deploy/") and not (root / folder).is_dir():
                yield f"there is no folder {folder}"


def known_options(program):
    """A text that has every option of a program. A script is read: one that knows no --help would do its work."""
    text = program.read_text(errors="replace")
    if "python" not in text.split("\n", 1)[0]:
        return text
    command = [sys.executable, program, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=HELP_SECONDS).stdout


PROGRAMS_OF_ACTIONS = {"hashicorp/setup-terraform": "unzip"}


def missing_programs(tree):
    """An action in a job with a container can run only programs that an earlier step installed there."""
    for where, job, index, step in tree.steps():
        program = PROGRAMS_OF_ACTIONS.get(step.get("uses", "").partition("@")[0])
        if "container" in job and program and program not in installed(tree, job["steps"][:index]):
            yield f"{where}: no earlier step installs {program} in the container"


def installed(tree, steps):
    """Names of the packages that steps install by apt-get, or by scripts/install-dependencies test."""
    names = set()
    for step in steps:
        for program, *words in commands(step.get("run", "")):
            if [program, *words] == ["scripts/install-dependencies", "test"]:
                names |= set(re.findall(r"[a-z0-9.+-]+", (tree.root / program).read_text()))
            elif "apt-get" in (program, *words[:1]) and "install" in words:
                names |= set(words)
    return names


RULES = (
    unpinned,
    inconsistent_pins,
    unlimited,
    unmet_needs,
    unmet_outputs,
    unmet_inputs,
    exceeded_permissions,
    expressions_in_scripts,
    unset_variables,
    unmet_commands,
    missing_programs,
)


def findings(tree):
    return [finding for rule in RULES for finding in rule(tree)]
