"""Stand-ins for what hands out AWS credentials: STS, IAM Identity Center, a container's service and EC2's.

STS checks the signature of AssumeRole with botocore, so that nobody agrees with messina's own signer but AWS's code.
"""
import datetime
import http.server
import json
import ssl
import threading
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

EXPIRATION = datetime.timedelta(hours=1)


def iso_in(delta=EXPIRATION):
    return (datetime.datetime.now(datetime.timezone.utc) + delta).strftime("%Y-%m-%dT%H:%M:%SZ")


class Keys:
    """Temporary credentials number N, as one of the services gives them out."""

    def __init__(self, number, planted=""):
        self.access_key = f"ASIAEXAMPLE{number}"
        self.secret_key = f"secret-{number}{planted}"
        self.session_token = f"token-{number}{planted}"

    def control(self):
        return {"access_key": self.access_key, "secret_key": self.secret_key, "session_token": self.session_token}


class CredentialServices:
    """All of them on one port. `keys` are what they give out; `calls` what they were asked."""

    BASE = Credentials("AKIABASE", "base-secret")

    def __init__(self, keys, certificate=None):
        """`certificate`: a PEM file with its key, for TLS."""
        self.keys, self.calls, self.on_call = keys, [], None
        self.bearer = "sso-login"
        self.container_token = "Basic container"
        self.identity_token = "the.identity.token"
        services = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body, kind="application/json"):
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def handle_all(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self.answer(*services.handle(self.command, self.path, self.headers, body))

            do_GET = do_POST = do_PUT = handle_all

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def called(self, name):
        self.calls.append(name)
        if self.on_call:
            self.on_call(len(self.calls))

    def metadata(self):
        return json.dumps({"Code": "Success", "AccessKeyId": self.keys.access_key, "SecretAccessKey": self.keys.secret_key,
                           "Token": self.keys.session_token, "Expiration": iso_in()})

    def handle(self, method, path, headers, body):
        if path == "/":
            return self.sts(headers, body)
        if path == "/latest/api/token" and method == "PUT":
            return 200, "imds-session"
        if path.startswith("/latest/meta-data/iam/security-credentials/"):
            if headers.get("x-aws-ec2-metadata-token") != "imds-session":
                return 401, ""
            if path.endswith("/"):
                return 200, "instance-role"
            self.called("instance")
            return 200, self.metadata()
        if path == "/container":
            if headers.get("Authorization") != self.container_token:
                return 403, '{"code":"AccessDenied"}'
            self.called("container")
            return 200, self.metadata()
        if path.startswith("/federation/credentials?"):
            if headers.get("x-amz-sso_bearer_token") != self.bearer:
                return 401, '{"message":"Session token not found or invalid"}'
            self.called("sso")
            ends = datetime.datetime.now(datetime.timezone.utc) + EXPIRATION
            return 200, json.dumps({"roleCredentials": {
                "accessKeyId": self.keys.access_key, "secretAccessKey": self.keys.secret_key,
                "sessionToken": self.keys.session_token, "expiration": int(ends.timestamp() * 1000)}})
        return 404, ""

    def sts(self, headers, body):
        form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
        action = form.get("Action")
        if action == "AssumeRole" and not self.signed_by_base(headers, body):
            return 403, "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>wrong</Message></Error></ErrorResponse>", "text/xml"
        if action == "AssumeRoleWithWebIdentity" and form.get("WebIdentityToken") != self.identity_token:
            return 400, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>", "text/xml"
        self.called(f"{action} {form['RoleArn']} {form.get('ExternalId', '')}".strip())
        keys = self.keys
        return 200, f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
            <AccessKeyId>{keys.access_key}</AccessKeyId><SecretAccessKey>{keys.secret_key}</SecretAccessKey>
            <SessionToken>{keys.session_token}</SessionToken><Expiration>{iso_in()}</Expiration>
            </Credentials></{action}Result></{action}Response>""", "text/xml"

    def signed_by_base(self, headers, body):
        authorization = headers.get("Authorization", "")
        if "Credential=" not in authorization:
            return False
        scope = authorization.split("Credential=")[1].split(",")[0].split("/")
        names = authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
        request = AWSRequest("POST", f"http://{headers['Host']}/", data=body,
                             headers={name: headers[name] for name in names if name != "authorization"})
        request.context["timestamp"] = headers["X-Amz-Date"]
        auth = SigV4Auth(self.BASE, scope[3], scope[2])
        signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return scope[0] == self.BASE.access_key and authorization.endswith(f"Signature={signature}")


# What a user would have to write for each source. All of them end with the keys that `services` gives out.

def _config(messina, text):
    folder = messina.state.parent / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(text)
    (folder / "config").chmod(0o600)


def _base_profile(services):
    return f"[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {services.BASE.secret_key}\n"


def role_of_profile(messina, services):
    _config(messina, _base_profile(services) + "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nexternal_id = x1\n")
    messina.env.update(AWS_PROFILE="p", AWS_ENDPOINT_URL_STS=services.url)


def role_with_environment(messina, services):
    _config(messina, "[profile p]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Environment\n")
    messina.env.update(AWS_ACCESS_KEY_ID="AKIABASE", AWS_SECRET_ACCESS_KEY=services.BASE.secret_key, AWS_ENDPOINT_URL_STS=services.url)
    return ["--source-profile", "p"]


def role_by_flags(messina, services):
    messina.env.update(AWS_ACCESS_KEY_ID="AKIABASE", AWS_SECRET_ACCESS_KEY=services.BASE.secret_key, AWS_ENDPOINT_URL_STS=services.url)
    return ["--source-role-arn", "arn:aws:iam::1:role/flag", "--source-role-session-name", "night-job", "--source-external-id", "x2"]


def web_identity(messina, services):
    token = messina.state.parent / "identity-token"
    token.write_text(services.identity_token + "\n")
    messina.env.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_ARN="arn:aws:iam::1:role/pod", AWS_ENDPOINT_URL_STS=services.url)


def process(messina, services):
    script = messina.state.parent / "print-credentials"
    keys = services.keys
    script.write_text("#!/bin/sh\necho 'a word for people' >&2\ncat <<END\n" + json.dumps({
        "Version": 1, "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key,
        "SessionToken": keys.session_token, "Expiration": iso_in()}) + "\nEND\n")
    script.chmod(0o700)
    _config(messina, f"[profile p]\ncredential_process = \"{script}\" --for 'a test'\n")
    messina.env.update(AWS_PROFILE="p")


def sso(messina, services):
    _config(messina, "[profile p]\nsso_session = my-sso\nsso_account_id = 123456789012\nsso_role_name = Reader\n"
                     "[sso-session my-sso]\nsso_region = us-east-1\nsso_start_url = https://d.awsapps.com/start\n")
    cache = messina.state.parent / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    # printf my-sso | sha1sum
    (cache / "0ad374308c5a4e22f723adf10145eafad7c4031c.json").write_text(
        json.dumps({"accessToken": services.bearer, "expiresAt": iso_in()}))
    messina.env.update(AWS_PROFILE="p", AWS_ENDPOINT_URL_SSO=services.url)


def container(messina, services):
    messina.env.update(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{services.url}/container",
                       AWS_CONTAINER_AUTHORIZATION_TOKEN=services.container_token)


def instance(messina, services):
    messina.env.update(AWS_EC2_METADATA_SERVICE_ENDPOINT=services.url, AWS_EC2_METADATA_DISABLED="false")


SOURCES = [role_of_profile, role_with_environment, role_by_flags, web_identity, process, sso, container, instance]


def without_keys(messina):
    """Takes the static keys out of the test's environment, and the machine's own metadata service."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        messina.env.pop(name, None)
    messina.env["AWS_EC2_METADATA_DISABLED"] = "true"
