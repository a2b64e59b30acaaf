"""The settings of a server in a container, from what its cloud puts into the environment.

- SageMaker: the argument ``serve``, the package under ``/opt/ml/model``, and ``SAGEMAKER_BIND_TO_PORT`` where several
  containers share an endpoint.
- Vertex AI: ``AIP_HTTP_PORT``, ``AIP_HEALTH_ROUTE``, ``AIP_PREDICT_ROUTE``, ``AIP_STORAGE_URI``.
- Azure ML: ``AZUREML_MODEL_DIR``; the routes are the deployment's own to name, ours are ``/`` and ``/score``.

``TRIVET_PRESET`` names the preset, else it is found; ``TRIVET_MODEL`` says where the package lies, else the cloud
does; ``TRIVET_<SETTING>`` sets any plain setting of ``ServerConfig``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivet.core.errors import ConfigError
from trivet.serving.config import ServerConfig
from trivet.serving.folders import OwnFolder
from trivet.serving.locate import located
from trivet.serving.presets import PRESETS

SAGEMAKER_MODEL = "/opt/ml/model"
OWN = "TRIVET_"
# Not settings of the server: they say what to serve and from where.
OTHERWISE = frozenset(("PRESET", "MODEL", "MODEL_NAME", "MODEL_VERSION", "PUBLIC_KEY_FILE", "HOME"))
SIGNED = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def from_environment(environ: Mapping[str, str], fetched: OwnFolder) -> ServerConfig:
    """What to serve and how, with the package at hand: one that lies elsewhere is fetched first.

    :param fetched: where it is put then.
    :raises ConfigError: naming the variable that is missing or wrong.
    """
    name = environ.get("TRIVET_PRESET") or _found(environ)
    if name not in PRESETS:
        raise ConfigError(f"TRIVET_PRESET={name} is no preset.", f"Choose one of: {', '.join(PRESETS)}.")
    settings = PRESETS[name]._asdict() | _routes(environ) | _own(environ)
    settings |= {"port": int(_port(environ, settings["port"])), "endpoint": environ.get("TRIVET_ENDPOINT", "endpoint")}
    if settings["signed"] and "public_key" not in settings:
        raise ConfigError(
            "TRIVET_PUBLIC_KEY is not set, and this preset serves signed packages only.",
            "Set it to the stack's public key (PEM), or TRIVET_SIGNED=false.",
        )
    model = located(_location(environ), fetched, environ)
    return ServerConfig.parse({"models": [model], **settings}, "The container's environment")


def _found(environ: Mapping[str, str]) -> str:
    if "AIP_HTTP_PORT" in environ or "AIP_PREDICT_ROUTE" in environ:
        return "vertex"
    return "azure" if "AZUREML_MODEL_DIR" in environ else "sagemaker"


def _location(environ: Mapping[str, str]) -> str:
    if "TRIVET_MODEL" in environ:
        return environ["TRIVET_MODEL"]
    for variable in ("AIP_STORAGE_URI", "AZUREML_MODEL_DIR"):
        if value := environ.get(variable):
            return value
    return SAGEMAKER_MODEL


def _port(environ: Mapping[str, str], usual: int) -> str:
    for variable in ("TRIVET_PORT", "SAGEMAKER_BIND_TO_PORT", "AIP_HTTP_PORT"):
        if value := environ.get(variable):
            if not (value.isascii() and value.isdigit()):
                raise ConfigError(f"{variable}={value} is no port.", "Set it to a number.")
            return value
    return str(usual)


def _routes(environ: Mapping[str, str]) -> dict[str, Any]:
    routes = {"health": environ.get("AIP_HEALTH_ROUTE"), "predict": environ.get("AIP_PREDICT_ROUTE")}
    given = {name: route for name, route in routes.items() if route}
    return {"vertex": given} if given else {}


def _own(environ: Mapping[str, str]) -> dict[str, Any]:
    """Every ``TRIVET_<SETTING>``; lists are separated by commas, a public key may be named by its file."""
    found: dict[str, Any] = {}
    for variable, value in environ.items():
        name = variable.removeprefix(OWN)
        if not variable.startswith(OWN) or name in OTHERWISE or not value:
            continue
        if name.lower() not in ServerConfig.model_fields:
            raise ConfigError(f"{variable} is no setting of the server.", "Look for the right name in docs/server.md.")
        found[name.lower()] = value
    if "fronts" in found:
        found["fronts"] = [front.strip() for front in found["fronts"].split(",")]
    if "signed" in found:
        found["signed"] = SIGNED.get(found["signed"].lower(), found["signed"])
    if file := environ.get("TRIVET_PUBLIC_KEY_FILE"):
        try:
            found["public_key"] = Path(file).read_text()
        except OSError as error:
            raise ConfigError(f"TRIVET_PUBLIC_KEY_FILE={file} cannot be read: {error.strerror}.") from error
    return found
