"""The copy of the configuration, and an emulated AWS account with everything of prod in it."""

import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import subprocess

import pytest
import workspace

from support.emulators import Moto

REGION = "us-east-1"
ACCOUNT = "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/items:prod-0123abc-20241101120000"
FRONTEND_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/items-frontend:1"
CHECKOV = "checkov>=3.2,<4"
INSTALL_SECONDS = 240


def pytest_collection_modifyitems(items):
    """Tests that change the applied account run last, before them those that need the apply or an installation."""
    items.sort(
        key=lambda item: 8 * ("recovered" in item.fixturenames)
        + 4 * ("applying" in item.fixturenames)
        + 2 * ("applying_tasks" in item.fixturenames)
        + ("installing" in item.fixturenames)
    )


@pytest.fixture(scope="session", autouse=True)
def beginning(request):
    """Begins what takes long before the first test, if any test needs it."""
    for name in ("installing", "applying", "applying_tasks"):
        if any(name in item.fixturenames for item in request.session.items):
            with contextlib.suppress(pytest.skip.Exception):
                request.getfixturevalue(name)


class Account(Moto):
    """An AWS account that exists in a moto server."""

    def __init__(self):
        # Without the variable the policies that AWS manages are missing.
        super().__init__(
            [pathlib.Path(__file__).with_name("emulator.py")],
            MOTO_IAM_LOAD_MANAGED_POLICIES="true",
            MOTO_ECS_SERVICE_RUNNING="1",  # otherwise no service would ever be steady
        )

    def client(self, service, key="test", secret="test", token=None):
        return super().client(
            service,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )


@pytest.fixture(scope="session")
def installing():
    """checkov on its way into an environment of its own, since its dependencies are not ours; it stays for the next run."""
    directory = workspace.WORK / "checkov"
    python, mark = directory / "bin/python", directory / "installed"
    process = None
    if not mark.exists():
        install = 'python3 -m venv --clear "$1" && "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2"'
        process = subprocess.Popen(
            ["nice", "sh", "-c", f'{install} && : >"$3"', "sh", directory, CHECKOV, mark],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish():
        """The command, or None and why not."""
        if process and not mark.exists():
            _, complaints = process.communicate(timeout=INSTALL_SECONDS)
            if process.returncode:
                return None, complaints.strip().splitlines()[-1][:200]
        return [python, directory / "bin/checkov"], None

    yield finish
    if process and process.poll() is None:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def checkov(installing):
    """checkov's command; skips when it cannot be installed."""
    command, reason = installing()
    if not command:
        pytest.skip(f"checkov is not installed and cannot be: {reason}")
    return command


@pytest.fixture(scope="session")
def tree():
    """A copy of deploy/terraform; skips when Terraform or its provider is missing."""
    try:
        return workspace.copy()
    except workspace.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def account(tree):
    account = Account()
    yield account
    account.stop()


@pytest.fixture(scope="session")
def certificate(account):
    """A certificate that the account holds: a listener with an unknown one is asked for again for minutes."""
    return account.client("acm").request_certificate(DomainName="items.example.com")["CertificateArn"]


@pytest.fixture(scope="session")
def variables(certificate):
    """What an operator gives to prod."""
    return [
        f"-var=region={REGION}",
        f"-var=image={IMAGE}",
        "-var=github=acme/items",
        '-var=emails=["operator@example.com"]',
        '-var=phones=["+491701234567"]',
        f"-var=certificate_arn={certificate}",
        "-var=domain=items.example.com",
        '-var=settings={LOG_LEVEL="info"}',
    ]


@pytest.fixture(scope="session")
def bootstrap(tree, account):
    """The account's own root with what the environments need, applied."""
    terraform = workspace.Terraform(tree / "bootstrap", account.url)
    workspace.fill(tree / "bootstrap", "region", "github")
    terraform.run("init", "-input=false")
    needed = ["-target=aws_s3_bucket.state", "-target=module.repository.aws_ecr_repository.main"]
    terraform.run("apply", "-auto-approve", "-input=false", *needed, seconds=workspace.APPLY_SECONDS)
    return terraform


@pytest.fixture(scope="session")
def applying(tree, account, bootstrap, variables):
    """prod with its state in the bucket, and the rest of the bootstrap, on their way: they mostly wait."""
    rest = bootstrap.background("apply", "-auto-approve", "-input=false")
    terraform = workspace.Terraform(tree / "environments/prod", account.url, data="applied")
    bucket = bootstrap.run("output", "-raw", "state_bucket")
    terraform.run(
        "init",
        "-input=false",
        "-reconfigure",  # the account of an earlier run no longer exists
        f"-backend-config=bucket={bucket}",
        f"-backend-config=region={REGION}",
        "-backend-config=use_path_style=true",
    )
    apply = terraform.background("apply", "-auto-approve", "-input=false", "-parallelism=30", *variables)
    finished = []

    def finish():
        if not finished:
            finished.append(True)
            rest(workspace.APPLY_SECONDS)
            apply(workspace.APPLY_SECONDS)
        return terraform

    yield finish
    # Also after an interruption, so that nothing stays behind; what has ended is asked in vain.
    for end in (rest, apply):
        with contextlib.suppress(AssertionError):
            end(0)


@pytest.fixture(scope="session")
def prod(applying):
    """prod, applied."""
    return applying()


@pytest.fixture(scope="session")
def pages(account):
    """The repository of the pages' image."""
    account.client("ecr").create_repository(repositoryName="items-frontend")


@pytest.fixture(scope="session")
def applying_tasks(tree, account, bootstrap, pages, certificate):
    """The example `platform`, which has tasks and pages on ECS, with its state beside it, on its way."""
    copied = tree / "examples/applied"
    shutil.copytree(tree / "examples/platform", copied)
    (copied / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    workspace.fill(copied)
    terraform = workspace.Terraform(copied, account.url)
    terraform.run("init", "-input=false")
    images = [f"-var=image={IMAGE}", f"-var=frontend_image={FRONTEND_IMAGE}", f"-var=certificate_arn={certificate}"]
    apply = terraform.background("apply", "-auto-approve", "-input=false", "-parallelism=30", *images)
    finished = []

    def finish():
        if not finished:
            finished.append(True)
            apply(workspace.APPLY_SECONDS)
        return terraform

    yield finish
    with contextlib.suppress(AssertionError):
        apply(0)


@pytest.fixture(scope="session")
def tasks(applying_tasks):
    """What the example tells other tools, applied."""
    return json.loads(applying_tasks().run("output", "-json", "service"))


@pytest.fixture(scope="session")
def service(prod):
    """What the root tells other tools."""
    return json.loads(prod.run("output", "-json", "service"))


def planned(tree, account, folder, *arguments):
    """What a root would create in an empty account, with its state beside it instead of in the bucket."""
    copied = tree / folder.replace("/", "/planned-")
    shutil.copytree(tree / folder, copied)
    (copied / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    workspace.fill(copied)
    terraform = workspace.Terraform(copied, account.url)
    terraform.run("init", "-input=false")
    return terraform.plan(f"-var=image={IMAGE}", *arguments)


@pytest.fixture(scope="session")
def plans(tree, account, bootstrap):
    """What each environment would create."""
    return both(workspace.ENVIRONMENTS, lambda name: planned(tree, account, f"environments/{name}"))


def both(names, work):
    """Two at a time, since a plan mostly waits for its provider."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(work, names), strict=True))


@pytest.fixture(scope="session")
def example_plans(tree, account, bootstrap, pages):
    """What each example would create."""
    image = f"-var=frontend_image={FRONTEND_IMAGE}"
    return both(workspace.EXAMPLES, lambda name: planned(tree, account, f"examples/{name}", *([] if name == "fargate" else [image])))
