"""Answers `secrets.*`: values come in, and never out again."""

from ...core.api import secrets as api
from ...core.api.tasks import OneTask
from ...core.commands import RemoveSecret
from ...core.errors import InvalidInput
from ...core.secrecy import check
from ...core.views.secrets import secret_view, unset_secret_view
from ..vault import Vault
from .desk import Desk


class Secrets:
    """The secrets, by name."""

    def __init__(self, desk: Desk, vault: Vault) -> None:
        """Keep them in the vault."""
        self._desk = desk
        self._vault = vault

    async def secrets_set(self, params: api.SecretSet) -> OneTask:
        """Keep a secret."""
        check(params.name, params.value)
        if not params.project or "/" in params.project:
            message = f"{params.project[:60]!r} is no project; orchestra jobs lists them as PROJECT/JOB"
            raise InvalidInput(message)
        self._desk.check_space()
        task = await self._vault.keep(self._desk.requester, params.project, params.name, params.value)
        return await self._desk.line(task)

    async def secrets_remove(self, params: api.SecretName) -> OneTask:
        """Forget a secret."""
        command = RemoveSecret(self._desk.master.time(), self._desk.requester, params.project, params.name)
        return await self._desk.task(command)

    async def secrets_list(self, params: api.SecretsList) -> api.Secrets:
        """List names."""
        ledger = self._desk.replica.ledger
        users: dict[str, list[str]] = {}
        for job in ledger.jobs.values():
            for name in job.spec.secrets:
                users.setdefault(f"{job.project}/{name}", []).append(job.name)
        found = [
            secret_view(one, users.pop(name, []))
            for name, one in sorted(ledger.secrecy.sealed.items())
            if params.project in {None, one.project}
        ]
        lacking = [
            unset_secret_view(name, jobs)
            for name, jobs in sorted(users.items())
            if name not in ledger.secrecy.sealed and params.project in {None, name.partition("/")[0]}
        ]
        return api.Secrets([*found, *lacking])
