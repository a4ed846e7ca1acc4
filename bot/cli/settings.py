"""The environment, read once and checked."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bot.audit.checkpoints import seed
from bot.cli.cloud_settings import CloudSettings
from bot.cli.hook_settings import HookSettings
from bot.cli.secret_files import SecretFiles, secrets_folder
from bot.cli.setting_problems import problem, subject
from bot.cli.setting_values import (
    check_apart,
    check_host_and_port,
    check_url,
    host_and_port,
    is_url,
    parse_public_keys,
    prefixed,
)
from bot.cli.webhook_settings import WebhookSettings
from bot.errors import ConfigError
from bot.hooks.live import check_callback_keys
from bot.times import parse_duration

_OTLP_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")


class Settings(CloudSettings, HookSettings, WebhookSettings):
    """Every setting, by the name it has in the environment; see docs/operate.md.

    An empty variable counts as absent.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    slack_bot_token: SecretStr | None = Field(
        None, alias="SLACK_BOT_TOKEN", description="The bot's token, `xoxb-…`; `serve` needs it."
    )
    slack_app_token: SecretStr | None = Field(
        None, alias="SLACK_APP_TOKEN", description="`xapp-…`: switches Socket Mode on."
    )
    slack_signing_secret: SecretStr | None = Field(
        None,
        alias="SLACK_SIGNING_SECRET",
        description="Checks Slack's requests; needed without an app token.",
    )
    allow_http: bool = Field(
        default=False,
        alias="STOPSTREAM_ALLOW_HTTP",
        description="`true`: addresses of Slack, Tencent Cloud and the audit sink may begin with "
        "`http://` beyond this machine, so tokens and requests cross the network in the clear.",
    )
    slack_api_url: str = Field(
        "https://slack.com/api/", alias="SLACK_API_URL", description="Base of the Web API."
    )
    tencent_url: str = Field(
        "",
        alias="STOPSTREAM_TENCENT_URL",
        description="One base URL for every service: an emulator or a proxy.",
    )
    policy: Path = Field(
        Path("policy.yml"), alias="STOPSTREAM_POLICY", description="The policy file."
    )
    database_url: str = Field(
        "sqlite:///stopstream.db",
        alias="STOPSTREAM_DATABASE_URL",
        repr=False,
        description="`sqlite:///FILE` or `postgresql://…`.",
    )
    audit_channel: str = Field(
        "",
        alias="STOPSTREAM_AUDIT_CHANNEL",
        pattern=r"^([CG][A-Z0-9]+)?$",
        description="Id of the channel that mirrors the trail.",
    )
    owner: str = Field(
        "",
        alias="STOPSTREAM_OWNER",
        pattern=r"^([CGUW][A-Z0-9]+)?$",
        description="Id of the channel or person to turn to where the bot itself is at fault.",
    )
    audit_key: SecretStr | None = Field(
        None,
        alias="STOPSTREAM_AUDIT_KEY",
        description="The key that seals the trail: 32 bytes in base64 or hex; the same for all "
        "replicas.",
    )
    audit_key_file: Path | None = Field(
        None,
        alias="STOPSTREAM_AUDIT_KEY_FILE",
        description="Where that key lies otherwise, made at the first start; by default beside "
        "the SQLite file, or `stopstream.key`.",
    )
    audit_trust: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        alias="STOPSTREAM_AUDIT_TRUST",
        description="Other public keys whose seals `audit verify` trusts, with commas between: "
        "those before a change of the key.",
    )
    audit_sink: str = Field(
        "",
        alias="STOPSTREAM_AUDIT_SINK",
        repr=False,
        description="Where the trail is copied, each record once and in order: a file, or an "
        "`https://…` address that takes POSTs of JSON lines; with `{seq}` in it each record is "
        "PUT there. A second witness, out of reach of the database and the bot.",
    )
    audit_sink_token: SecretStr | None = Field(
        None,
        alias="STOPSTREAM_AUDIT_SINK_TOKEN",
        description="Sent to that address as `Authorization: Bearer …`.",
    )
    webhook_url: str = Field(
        "",
        alias="STOPSTREAM_WEBHOOK_URL",
        repr=False,
        description="An `https://…` address that is told of each ending, decision and comeback, "
        "once and in order, with the headers of Standard Webhooks; see docs/audit.md.",
    )
    audit_checkpoint: str = Field(
        "1h",
        alias="STOPSTREAM_AUDIT_CHECKPOINT",
        description="How often a signed checkpoint goes to the audit channel, if there is "
        "something new.",
    )
    audit_keep: str = Field(
        "",
        alias="STOPSTREAM_AUDIT_KEEP",
        description="How long records are kept, e.g. `400d`; left out: for ever.",
    )
    ask_expires: str = Field(
        "10m",
        alias="STOPSTREAM_ASK_EXPIRES",
        description="How old a request, or the last consent to it, may be when it is sent; what "
        "is older ends `failed`.",
    )
    live_callback_key: SecretStr | None = Field(
        None,
        alias="STOPSTREAM_LIVE_CALLBACK_KEY",
        description="Checks the callbacks of Tencent Cloud Live at `/hooks/live`; two keys with a "
        "comma between while one is replaced by the other. An account of the policy has its own, "
        "by `callback_key`.",
    )
    public_url: str = Field(
        "",
        alias="STOPSTREAM_PUBLIC_URL",
        description="The address under which the outside reaches the HTTP side, e.g. "
        "`https://bot.example.com`; `callbacks show` prints what to register with it.",
    )
    listen: str = Field(
        "127.0.0.1:3000",
        alias="STOPSTREAM_LISTEN",
        description="`host:port` for health and metrics, and for Slack's requests in HTTP mode.",
    )
    metrics_listen: str = Field(
        "",
        alias="STOPSTREAM_METRICS_LISTEN",
        description="`host:port` for metrics and health, apart from Slack's requests; where it is "
        "set, `STOPSTREAM_LISTEN` shows no metrics.",
    )
    otlp_endpoint: str = Field(
        "",
        alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        repr=False,
        description="Address of an OpenTelemetry collector that takes OTLP over HTTP, e.g. "
        "`http://collector:4318`: switches traces on. Needs the extra `otel`.",
    )
    secrets_dir: Path | None = Field(
        None,
        alias="STOPSTREAM_SECRETS_DIR",
        description="Folder whose files hold settings, secrets above all, by their names here; by "
        "default `/run/secrets` where it exists. What is in the environment wins.",
    )
    log_format: Literal["json", "console"] | None = Field(
        None,
        alias="STOPSTREAM_LOG_FORMAT",
        description="`json` or `console`; by default `console` on a terminal, else `json`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        alias="STOPSTREAM_LOG_LEVEL",
        description="What `serve` logs at least: `debug` also every step of an operation.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (no file is read unasked)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (it would wait for a FIFO)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the first one first."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _absent(cls, data: Any) -> Any:
        # An empty value that was given hides the one in the environment, and is then absent.
        return {name: value for name, value in data.items() if value != ""}

    @field_validator(
        "slack_bot_token",
        "slack_app_token",
        "slack_signing_secret",
        "audit_sink_token",
        "live_callback_key",
        mode="after",
    )
    @classmethod
    def _trimmed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value() != value.get_secret_value().strip():
            raise ValueError("has blanks around it")
        return value

    @field_validator("slack_bot_token", mode="after")
    @classmethod
    def _bot_token(cls, value: SecretStr | None) -> SecretStr | None:
        return prefixed(value, "xoxb-", "a bot token begins with xoxb-")

    @field_validator("slack_app_token", mode="after")
    @classmethod
    def _app_token(cls, value: SecretStr | None) -> SecretStr | None:
        return prefixed(value, "xapp-", "an app-level token begins with xapp-")

    @field_validator(
        *("slack_api_url", "tencent_url", "audit_sink", "public_url", "webhook_url"),
        "otlp_endpoint",
        mode="after",
    )
    @classmethod
    def _url(cls, value: str, info: ValidationInfo) -> str:
        if value and (info.field_name != "audit_sink" or is_url(value)):
            # Spans hold no secret; the headers that their sender reads from these may.
            spans = info.field_name == "otlp_endpoint"
            bare = spans and not any(map(os.environ.get, _OTLP_HEADERS))
            check_url(value, allow_http=bare or bool(info.data.get("allow_http")))
        return value

    @field_validator("slack_api_url", mode="after")
    @classmethod
    def _with_slash(cls, value: str) -> str:
        return value if value.endswith("/") else value + "/"

    @field_validator("audit_key", mode="after")
    @classmethod
    def _audit_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            seed(value.get_secret_value())
        return value

    @field_validator("audit_trust", mode="before")
    @classmethod
    def _audit_trust(cls, value: Any) -> Any:
        return parse_public_keys(value) if isinstance(value, str) else value

    @field_validator("live_callback_key", mode="after")
    @classmethod
    def _callback_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_callback_keys(value.get_secret_value())
        return value

    @field_validator("audit_checkpoint", "audit_keep", "ask_expires", mode="after")
    @classmethod
    def _duration(cls, value: str) -> str:
        if value:
            parse_duration(value)
        return value

    @field_validator("listen", "metrics_listen", mode="after")
    @classmethod
    def _listen(cls, value: str, info: ValidationInfo) -> str:
        if value:
            check_host_and_port(value)
        if value and info.field_name == "metrics_listen" and "listen" in info.data:
            check_apart(value, info.data["listen"])
        return value

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on; port 0 takes any free one."""
        return host_and_port(self.listen)

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """The same of the metrics; None where they have no port of their own."""
        return host_and_port(self.metrics_listen) if self.metrics_listen else None

    def secrets(self) -> Iterator[str]:
        """Yield the values that are not to be shown, and the password of the database."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, SecretStr):
                    yield one.get_secret_value()
        yield self.secret_id
        user_and_password = self.database_url.partition("://")[2].rpartition("@")[0]
        yield unquote(user_and_password.partition(":")[2])

    @property
    def audit_sink_file(self) -> Path | None:
        """Path of the file that the audit log is copied to; None if it is none, or an address."""
        sink = self.audit_sink
        if not sink or is_url(sink):
            return None
        return Path(sink.removeprefix("file://"))

    @property
    def key_file(self) -> Path:
        """Path of the key that signs the audit log, if it is not in the environment."""
        if self.audit_key_file is not None:
            return self.audit_key_file
        database = self.database_file
        return Path("stopstream.key") if database is None else database.with_suffix(".key")

    @property
    def database_file(self) -> Path | None:
        """The file of a SQLite database; None for any other."""
        scheme, _, file = self.database_url.partition(":///")
        path = Path(file.partition("?")[0])
        return path if scheme.startswith("sqlite") and path.name else None


def read_settings(**given: str) -> Settings:
    """Read the environment.

    Args:
        given: Values by environment name that win over it.

    Raises:
        ConfigError: One line per variable that cannot be used, without its value.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type] # by alias, as text
    except ValidationError as error:
        raise ConfigError([problem(one) for one in error.errors()]) from None


def read_usable_settings() -> tuple[Settings, dict[str, str]]:
    """Read the environment, and leave out what cannot be used.

    Returns:
        The settings without those, and a line for each of them by its name.
    """
    kind: type[Settings] = Settings
    problems: dict[str, str] = {}
    try:
        secrets_folder()
    except ConfigError as error:
        kind = _WithoutFiles
        problems = {one.partition(":")[0]: one for one in error.problems}
    while True:
        # An empty value hides the one in the environment.
        hidden = dict.fromkeys(problems, "")
        try:
            return kind(**hidden), problems  # type: ignore[arg-type] # by alias, as text
        except ValidationError as error:
            found = {subject(one): problem(one) for one in error.errors()}
            if found.keys() <= problems.keys():
                raise ConfigError([*problems.values()]) from None
            problems |= found


class _WithoutFiles(Settings):
    """The settings of the environment alone, where the secrets' folder cannot be looked into."""

    @classmethod
    def settings_customise_sources(
        cls, *sources: Any, **by_name: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, without the files."""
        return super().settings_customise_sources(*sources, **by_name)[:-1]
