"""`wallet agent …`: new secrets for an operator's platform, shown once and not stored."""

import base64
import json
import secrets
from typing import Annotated, Final

import typer

from app.console.arguments import checked_agent
from app.console.ledger_access import commands
from app.console.output.printer import AsJson, hint, print_json, say
from app.settings_parsing import AGENT_KEY_BYTES, WEBHOOK_SECRET_PREFIX

agents: Final = commands("agent", "The operator's platforms, which call the transfer API.")

Name = Annotated[
    str, typer.Argument(metavar="AGENT", help="The agent's id.", callback=checked_agent)
]


@agents.command("key")
def key(name: Name = "my-agent", as_json: AsJson = False) -> None:
    """Make a new key of 256 bits for an agent, and say how to put it into WALLET_AGENTS."""
    secret = base64.urlsafe_b64encode(secrets.token_bytes(AGENT_KEY_BYTES)).decode().rstrip("=")
    if as_json:
        print_json({"agent": name, "key": secret})
        return
    say(secret)
    first = json.dumps({name: [secret]})
    both = json.dumps({name: ["<the key in use>", secret]})
    hint(
        "This key is shown once and kept nowhere: put it where your secrets are.\n"
        f"The agent's first key:  WALLET_AGENTS='{first}'\n"
        "To change a key in use:\n"
        f"  1. WALLET_AGENTS='{both}', and restart the server: both are valid.\n"
        "  2. Give the new key to the agent's platform.\n"
        "  3. When nothing comes under the old one any more, take it out, and restart again."
    )


@agents.command("webhook-secret")
def webhook_secret(name: Name = "my-agent", as_json: AsJson = False) -> None:
    """Make a new secret that signs an agent's webhooks, to put into WALLET_WEBHOOKS."""
    key = base64.b64encode(secrets.token_bytes(AGENT_KEY_BYTES)).decode()
    secret = f"{WEBHOOK_SECRET_PREFIX}{key}"
    if as_json:
        print_json({"agent": name, "secret": secret})
        return
    say(secret)
    first = json.dumps({name: {"url": "https://platform.example/hooks", "secret": secret}})
    both = json.dumps(["<the secret in use>", secret])
    hint(
        "This secret is shown once and kept nowhere: put it where your secrets are.\n"
        f"The agent's first secret:  WALLET_WEBHOOKS='{first}'\n"
        "To change a secret in use:\n"
        f'  1. "secret": {both}, and restart `wallet deliver`: both sign.\n'
        "  2. Give the new secret to the agent's platform.\n"
        "  3. When it verifies with the new one, take the old one out, and restart again."
    )
