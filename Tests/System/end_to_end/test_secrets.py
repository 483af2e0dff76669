"""`items secret` reads the database's secret from AWS Secrets Manager, here moto and servers that misbehave."""

import json
import os
import pathlib
import re
import ssl
import subprocess
import threading

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.emulators import (  # noqa: F401, fixtures among them
    IMDS_TOKEN,
    KEY,
    REGION,
    SECRET_KEY,
    TOKEN,
    credentials,
    imds,
    loopback,
    moto,
    moto_server,
    store,
    value,
)
from support.ports import free_port
from support.project import BINARY
from support.server import items

PASSWORDS = ['quote"\'s', "sp ace ", "$HOME `id`", "100%s", "back\\slash\\n", "pä密🔑"]
PLAIN = value({"username": "app", "password": "hunter2-hunter2"})


def secret(**environment):
    """Runs `items secret` with credentials in variables; None removes a variable."""
    standard = {
        "DB_SECRET_ID": "items/db",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    chosen = {name: value for name, value in {**standard, **environment}.items() if value is not None}
    return items("secret", **chosen)


def lines(run):
    assert run.returncode == 0, run.stdout + run.stderr
    return dict(line.split(": ", 1) for line in run.stdout.splitlines())


def reason(run):
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stderr.strip(), "the failure has no reason"
    return run.stderr


KEYLESS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


class TestSource:
    def test_is_the_variable(self):
        assert lines(items("secret", DB_PASSWORD="hunter2")) == {"source": "DB_PASSWORD"}

    def test_is_the_file(self, tmp_path):
        (tmp_path / "word").write_text("hunter2\n")
        run = items("secret", DB_PASSWORD_FILE=str(tmp_path / "word"), DB_PASSWORD="other")
        assert lines(run) == {"source": f"DB_PASSWORD_FILE ({tmp_path}/word)"}

    def test_is_the_credentials_directory(self, tmp_path):
        (tmp_path / "db-password").write_text("hunter2\n")
        run = items("secret", CREDENTIALS_DIRECTORY=str(tmp_path), DB_PASSWORD="other")
        assert lines(run) == {"source": f"$CREDENTIALS_DIRECTORY/db-password ({tmp_path}/db-password)"}

    def test_is_none_without_any(self):
        assert lines(items("secret")) == {"source": "none"}

    def test_is_secrets_manager_before_all_others(self, moto):
        store(moto, {"username": "app", "password": "hunter2-hunter2"})
        shown = lines(secret(AWS_ENDPOINT_URL=moto.url, DB_PASSWORD="other"))
        assert shown == {
            "source": "DB_SECRET_ID",
            "secret": "items/db",
            "region": REGION,
            "credentials": "environment",
            "fields": "password, username",
        }

    def test_names_a_file_that_cannot_be_read(self):
        run = items("secret", DB_PASSWORD_FILE="/nonexistent/password")
        assert run.returncode == 78 and "DB_PASSWORD_FILE" in run.stderr


class TestCredentials:
    def test_come_from_a_container_before_the_instance(self, moto, loopback):
        store(moto, {"username": "app", "password": "hunter2-hunter2"})
        container = loopback(lambda request: (200, credentials()))
        run = secret(
            **KEYLESS,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/get",
            AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer word",
            AWS_ENDPOINT_URL=moto.url,
        )
        assert lines(run)["credentials"] == "container endpoint"
        assert [(request.path, request.headers["Authorization"]) for request in container.requests] == [
            ("/get", "Bearer word")
        ]

    def test_come_from_the_instance_with_its_region(self, moto, loopback):
        store(moto, {"username": "app", "password": "hunter2-hunter2"})
        shown = lines(
            secret(
                **KEYLESS,
                AWS_REGION=None,
                AWS_EC2_METADATA_DISABLED=None,
                AWS_EC2_METADATA_SERVICE_ENDPOINT=loopback(imds).url,
                AWS_ENDPOINT_URL_SECRETS_MANAGER=moto.url,
            )
        )
        assert shown["credentials"] == "instance role (IMDSv2)" and shown["region"] == REGION

    def test_of_the_machine_are_never_asked_for_by_a_proxy(self, loopback):
        proxy = loopback(lambda request: (200, PLAIN))
        metadata = loopback(imds)
        run = secret(
            **KEYLESS,
            AWS_EC2_METADATA_DISABLED=None,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
            AWS_ENDPOINT_URL="http://secretsmanager.test",
            http_proxy=proxy.url,
        )
        assert lines(run)["fields"] == "password, username"
        assert [request.path for request in proxy.requests] == ["http://secretsmanager.test/"]
        assert len(metadata.requests) == 3

    def test_name_the_hop_limit_when_the_token_never_comes(self, loopback):
        over = threading.Event()
        metadata = loopback(lambda request: (over.wait(10), (200, ""))[1])
        try:
            run = secret(
                **KEYLESS, AWS_EC2_METADATA_DISABLED=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url
            )
        finally:
            over.set()
        assert "hop limit" in reason(run)

    def test_over_plain_http_come_from_this_machine_alone(self):
        run = secret(**KEYLESS, AWS_CONTAINER_CREDENTIALS_FULL_URI="http://credentials.example/x")
        assert "credentials.example" in reason(run)

    def test_are_missing_where_there_are_none(self):
        assert "AWS credentials" in reason(secret(**KEYLESS))

    def test_need_both_variables(self):
        assert "AWS_SECRET_ACCESS_KEY" in reason(secret(AWS_SECRET_ACCESS_KEY=None))


class TestSecret:
    def test_names_every_field(self, moto):
        store(
            moto,
            {"engine": "postgres", "host": "h", "port": "5432", "username": "u", "password": "p", "dbname": "d"},
        )
        shown = lines(secret(AWS_ENDPOINT_URL=moto.url))
        assert shown["fields"] == "dbname, host, password, port, username" and shown["unused fields"] == "engine"

    def test_is_found_by_its_arn_in_its_own_region(self, moto):
        arn = store(moto, {"username": "u", "password": "p"})
        shown = lines(secret(AWS_ENDPOINT_URL=moto.url, DB_SECRET_ID=arn, AWS_REGION="us-east-1"))
        assert shown["region"] == REGION and shown["secret"] == arn

    def test_without_a_password_leaves_it_to_the_others(self, moto):
        store(moto, {"host": "h"})
        shown = lines(secret(AWS_ENDPOINT_URL=moto.url, DB_PASSWORD="hunter2"))
        assert shown["fields"] == "host" and shown["password"] == "DB_PASSWORD"

    @pytest.mark.parametrize(
        "contents, words",
        [
            ("hunter2-hunter2", "no JSON object"),
            ({"username": "hunter2"}, "without a password"),
            ({"password": "hunter2", "port": "hunter2"}, "port"),
            ({"user": "hunter2"}, "none of"),
        ],
    )
    def test_that_cannot_be_used_says_why(self, moto, contents, words):
        store(moto, contents)
        run = secret(AWS_ENDPOINT_URL=moto.url)
        assert words in reason(run) and "hunter2" not in run.stdout + run.stderr

    def test_that_does_not_exist_is_reported(self, moto):
        assert "no such secret" in reason(secret(AWS_ENDPOINT_URL=moto.url))

    def test_about_to_be_deleted_is_refused(self, moto):
        arn = store(moto, {"username": "u", "password": "p"})
        moto.client("secretsmanager").delete_secret(SecretId=arn)
        assert "refuses the request" in reason(secret(AWS_ENDPOINT_URL=moto.url))

    def test_needs_a_region(self):
        assert "AWS_REGION" in reason(secret(AWS_REGION=None))


class TestFailure:
    def test_that_is_temporary_is_retried(self, loopback):
        answers = iter([(400, '{"__type":"ThrottlingException"}'), (503, ""), (200, PLAIN)])
        server = loopback(lambda request: next(answers))
        run = secret(AWS_ENDPOINT_URL=server.url)
        assert lines(run)["fields"] == "password, username"
        assert run.stderr.count("trying again") == 2

    @pytest.mark.parametrize(
        "answer, words",
        [
            ((400, '{"__type":"AccessDeniedException","Message":"User: x is not authorized"}'), "not authorized"),
            ((400, '{"__type":"DecryptionFailure","Message":"the key is disabled"}'), "cannot be decrypted"),
            ((200, "<html>"), "not understood"),
            ((200, " " * 200_000), "bytes"),
            ((302, ""), "302"),
        ],
    )
    def test_that_is_permanent_is_reported_at_once(self, loopback, answer, words):
        server = loopback(lambda request: answer)
        assert words in reason(secret(AWS_ENDPOINT_URL=server.url))
        assert len(server.requests) == 1

    def test_to_reach_it_names_the_host(self):
        assert "127.0.0.1" in reason(secret(AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}"))


class TestEncryption:
    @pytest.fixture
    def server(self, loopback, tmp_path):
        """A server with a certificate of an unknown authority, and the path of that certificate."""
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
            + ["-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return loopback(lambda request: (200, PLAIN), context=context), certificate

    def test_refuses_a_certificate_nobody_vouches_for(self, server):
        run = secret(AWS_ENDPOINT_URL=server[0].url)
        assert "certificate" in reason(run) and server[0].requests == []

    def test_takes_the_certificates_of_a_bundle(self, server):
        run = secret(AWS_ENDPOINT_URL=server[0].url, AWS_CA_BUNDLE=str(server[1]))
        assert lines(run)["fields"] == "password, username"

    def test_writes_its_keys_into_no_file(self, server, tmp_path):
        keys = tmp_path / "keys"
        run = secret(AWS_ENDPOINT_URL=server[0].url, AWS_CA_BUNDLE=str(server[1]), SSLKEYLOGFILE=str(keys))
        assert lines(run)["fields"] == "password, username"
        assert not keys.exists()

    def test_refuses_a_certificate_of_another_host(self, server):
        run = secret(
            AWS_ENDPOINT_URL=server[0].url.replace("127.0.0.1", "localhost"), AWS_CA_BUNDLE=str(server[1])
        )
        assert "localhost" in reason(run) and server[0].requests == []


class TestSignature:
    @pytest.mark.parametrize("token", [None, TOKEN])
    @pytest.mark.parametrize("name", ["items/db", 'na"me/with+=.@-_ \\ é'])
    def test_equals_that_of_botocore_for_the_same_request(self, loopback, token, name):
        server = loopback(lambda request: (200, PLAIN))
        lines(secret(AWS_ENDPOINT_URL=server.url, AWS_SESSION_TOKEN=token, DB_SECRET_ID=name))
        (request,) = server.requests
        assert json.loads(request.body) == {"SecretId": name}
        authorization = request.headers["Authorization"]
        scope, signed, signature = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", authorization
        ).groups()
        date = request.headers["X-Amz-Date"]
        assert scope == f"{KEY}/{date[:8]}/{REGION}/secretsmanager/aws4_request"
        present = {header.lower() for header in request.headers if header.lower().startswith("x-amz-")}
        assert present | {"host", "content-type"} <= set(signed.split(";"))
        assert ("x-amz-security-token" in present) == (token is not None)
        assert request.headers["X-Amz-Security-Token"] == token

        class Signer(botocore.auth.SigV4Auth):
            def headers_to_sign(self, _):
                headers = botocore.auth.HTTPHeaders()
                for header in signed.split(";"):
                    for content in request.headers.get_all(header):
                        headers[header] = content
                return headers

        again = AWSRequest(method="POST", url=server.url + request.path, data=request.body)
        again.context["timestamp"] = date
        signer = Signer(Credentials(KEY, SECRET_KEY), "secretsmanager", REGION)
        assert signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again) == signature

    def policy(self, effect):
        statement = {"Effect": effect, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def user(self, moto, effect):
        iam = moto.client("iam")
        iam.create_user(UserName="items")
        iam.put_user_policy(UserName="items", PolicyName="read", PolicyDocument=self.policy(effect))
        key = iam.create_access_key(UserName="items")["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def test_is_taken_by_a_server_that_checks_it(self, moto):
        store(moto, {"username": "u", "password": "p"})
        user = self.user(moto, "Allow")
        moto.enforce(0)
        assert lines(secret(AWS_ENDPOINT_URL=moto.url, **user))["fields"] == "password, username"

    def test_of_another_key_is_refused(self, moto):
        store(moto, {"username": "u", "password": "p"})
        user = self.user(moto, "Allow")
        moto.enforce(0)
        run = secret(AWS_ENDPOINT_URL=moto.url, **{**user, "AWS_SECRET_ACCESS_KEY": SECRET_KEY})
        assert "403" in reason(run) and SECRET_KEY not in run.stderr

    def test_of_a_user_who_may_not_read_it_is_refused(self, moto):
        store(moto, {"username": "u", "password": "p"})
        user = self.user(moto, "Deny")
        moto.enforce(0)
        assert "access denied" in reason(secret(AWS_ENDPOINT_URL=moto.url, **user))

    def test_of_a_role_is_taken_with_its_token(self, moto, loopback):
        store(moto, {"username": "u", "password": "p"})
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        role = moto.client("iam").create_role(
            RoleName="items", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]
        moto.client("iam").put_role_policy(RoleName="items", PolicyName="read", PolicyDocument=self.policy("Allow"))
        assumed = moto.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="i-0")["Credentials"]
        document = credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
        metadata = loopback(lambda request: imds(request, document))
        moto.enforce(0)
        run = secret(
            **KEYLESS,
            AWS_EC2_METADATA_DISABLED=None,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
            AWS_ENDPOINT_URL=moto.url,
        )
        assert lines(run)["fields"] == "password, username"


class TestSecrecy:
    @pytest.mark.parametrize("password", PASSWORDS)
    def test_no_value_is_shown(self, moto, password):
        store(moto, {"username": "appuser", "password": password, "host": "db.internal", "extra": "hidden-extra"})
        run = secret(AWS_ENDPOINT_URL=moto.url, AWS_SESSION_TOKEN=TOKEN)
        assert lines(run)["fields"] == "host, password, username"
        shown = run.stdout + run.stderr
        for text in (password, password.strip(), "appuser", "db.internal", "hidden-extra", SECRET_KEY, TOKEN):
            assert text not in shown

    def test_what_is_fetched_is_in_no_file_of_the_process(self, loopback):
        asked, go = threading.Event(), threading.Event()

        def answer(request):
            asked.set()
            go.wait(10)
            return 200, PLAIN

        environment = {
            "PATH": os.environ["PATH"],
            "DB_SECRET_ID": "items/db",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": loopback(imds).url,
            "AWS_ENDPOINT_URL": loopback(answer).url,
        }
        process = subprocess.Popen(
            [BINARY, "secret"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert asked.wait(10)
            shown = [pathlib.Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
        finally:
            go.set()
            output, errors = process.communicate(timeout=20)
        assert process.returncode == 0 and b"DB_SECRET_ID" in shown[1]
        for text in (SECRET_KEY, TOKEN, IMDS_TOKEN, "hunter2"):
            assert text.encode() not in b"".join(shown) and text not in output + errors

    def test_a_refusal_that_quotes_the_request_is_not_repeated(self, loopback):
        def answer(request):
            quoted = f"canonical: {request.headers['X-Amz-Security-Token']} {request.headers['Authorization']}"
            return 403, json.dumps({"__type": "InvalidSignatureException", "message": quoted})

        run = secret(AWS_ENDPOINT_URL=loopback(answer).url, AWS_SESSION_TOKEN=TOKEN)
        assert "InvalidSignatureException" in reason(run)
        assert TOKEN not in run.stderr and "AWS4-HMAC" not in run.stderr
