"""Google's services over REST: one identity, one project and location, each call tried again where that is safe."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
from typing import Any

import google.auth
from google.api_core.exceptions import GoogleAPICallError, RetryError, from_http_response
from google.api_core.retry import Retry
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession
from requests import Response
from requests.exceptions import InvalidJSONError

from trivet.core.waiting import wait_for
from trivet.platforms.gcp.errors import SERVER_ERROR, TOO_MANY, UNREACHABLE, Unreadable, of_operation

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"  # gcloud's own variables; "gcloud topic endpoint-override"
EMULATOR = "STORAGE_EMULATOR_HOST"  # of Google's clients of Cloud Storage
CONNECT_SECONDS, READ_SECONDS = 10, 70
FIRST, LONGEST, GIVE_UP = 0.5, 16.0, 60.0  # seconds between tries, and altogether
BUSY = (TOO_MANY, 503)  # nothing was done
OPERATION_SECONDS, LONGEST_PAUSE = 3600.0, 15.0

Json = dict[str, Any]


class Again(Enum):
    """When a call is made again."""

    ALWAYS = "always"
    """It may be done twice: it reads, or says by a name of ours what it makes."""
    REFUSED = "refused"
    """Only where the service says that it has done nothing; who calls looks what became of an answer that was lost."""
    NEVER = "never"


class Clients:
    """What asks a service, by its name."""

    def __init__(
        self, project: str, location: str, *, credentials: Credentials | None = None, endpoint: str | None = None
    ) -> None:
        """
        :param credentials: else the application's own, as google-auth finds them.
        :param endpoint: URL that every service answers at; else each service's own, or what the environment says.
        """
        self.project = project
        self.location = location
        self._given = credentials
        self._endpoint = endpoint
        self._local = threading.local()  # a session of requests is not safe for threads
        self._lock = threading.Lock()

    @property
    def parent(self) -> str:
        """What names of Vertex AI begin with."""
        return f"projects/{self.project}/locations/{self.location}"

    @cached_property
    def credentials(self) -> Credentials:
        """Whose rights are used.

        :raises DefaultCredentialsError: when there are none.
        """
        with self._lock:
            found = self._given
            if found is None:
                found, _ = google.auth.default(scopes=[SCOPE])
            return found

    @property
    def storage(self) -> str | None:
        """Where Cloud Storage is asked, where that is elsewhere than at Google's."""
        return self._endpoint or os.environ.get(EMULATOR)

    def address(self, service: str) -> str:
        """Where a service is asked, without a slash at its end."""
        if service == "storage" and self.storage:
            return self.storage.rstrip("/")
        local = f"{self.location}-" if service == "aiplatform" else ""
        usual = f"https://{local}{service}.googleapis.com"
        return (self._endpoint or os.environ.get(f"{OVERRIDE}{service.upper()}") or usual).rstrip("/")

    def get(self, service: str, path: str, **parameters: Any) -> Json:
        """Read."""
        return self.ask("GET", service, path, parameters=parameters)

    def post(self, service: str, path: str, body: Json, again: Again = Again.REFUSED, **parameters: Any) -> Json:
        """Have something made or done."""
        return self.ask("POST", service, path, body, again, parameters)

    def patch(self, service: str, path: str, body: Json, mask: str) -> Json:
        """Change what the mask names."""
        return self.ask("PATCH", service, path, body, parameters={"updateMask": mask})

    def delete(self, service: str, path: str) -> Json:
        """Delete; where it takes time the operation."""
        return self.ask("DELETE", service, path)

    def pages(self, service: str, path: str, member: str, **parameters: Any) -> Iterator[Json]:
        """Every entry of a list, page by page."""
        token: Json = {}
        while True:
            page = self.get(service, path, **parameters, **token)
            yield from page.get(member, [])
            if not page.get("nextPageToken"):
                return
            token = {"pageToken": page["nextPageToken"]}

    def ended(self, operation: Json, what: str, seconds: float = OPERATION_SECONDS) -> Json:
        """What came of a long-running operation of Vertex AI, once it has ended: while nobody can be asked it goes on.

        :raises GoogleAPICallError: when it failed.
        :raises NotReady: when it has not ended by then.
        """

        def probe() -> Json | None:
            try:
                now = self.get("aiplatform", f"v1/{operation['name']}")
            except (GoogleAPICallError, *UNREACHABLE, Unreadable) as error:
                if _is_passing(error, Again.ALWAYS):
                    return None
                raise
            return now if now.get("done") else None

        done = wait_for(probe, what, seconds=seconds, longest=LONGEST_PAUSE)
        if "error" in done:
            raise of_operation(done["error"])
        return done.get("response", {})

    def ask(
        self,
        verb: str,
        service: str,
        path: str,
        body: Json | None = None,
        again: Again = Again.ALWAYS,
        parameters: Mapping[str, Any] | None = None,
    ) -> Json:
        """One call.

        :raises GoogleAPICallError: for what the service refuses.
        """

        def once() -> Json:
            response = self._session.request(
                verb,
                f"{self.address(service)}/{path}",
                params={key: value for key, value in (parameters or {}).items() if value is not None},
                json=body,
                timeout=(CONNECT_SECONDS, READ_SECONDS),  # pyright: ignore[reportArgumentType]  it is requests' own
            )
            return _content(response)

        if again is Again.NEVER:
            return once()
        retried = Retry(
            predicate=lambda error: _is_passing(error, again),
            initial=FIRST,
            maximum=LONGEST,
            timeout=GIVE_UP,
        )
        try:
            return retried(once)()
        except RetryError as error:  # it was tried for long enough: what counts is why it failed
            raise error.cause from None

    @property
    def _session(self) -> AuthorizedSession:
        if not hasattr(self._local, "session"):
            self._local.session = AuthorizedSession(self.credentials)
            self._local.session.headers["User-Agent"] = "trivet"
        return self._local.session

    def close(self) -> None:
        """Close this thread's connections; those of others close with their threads."""
        if hasattr(self._local, "session"):
            self._local.session.close()
            del self._local.session


def _content(response: Response) -> Json:
    if not response.ok:
        raise from_http_response(response)
    try:
        found = response.json() if response.content else {}
    except ValueError as error:
        raise Unreadable(f"what answers for {response.url} is no service of Google's") from error
    return found if isinstance(found, dict) else {}


def _is_passing(error: BaseException, again: Again) -> bool:
    """Whether the next try may do better."""
    if isinstance(error, GoogleAPICallError):
        code = int(error.code or 0)
        return code in BUSY or (again is Again.ALWAYS and code >= SERVER_ERROR and code != 501)
    lost = isinstance(error, (*UNREACHABLE, Unreadable)) and not isinstance(error, InvalidJSONError)  # never sent
    return again is Again.ALWAYS and lost
