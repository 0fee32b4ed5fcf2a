"""`manage.py up`: memweb as a whole, with no configuration, until it is told to stop."""

from __future__ import annotations

import shutil
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.db.transaction import TransactionManagementError
from django.urls import reverse

from memweb import doctor, ground
from memweb.accounts import services
from memweb.supervisor import Ended, Supervisor
from memweb.whereabouts import own_address


class Command(BaseCommand):
    """Start the server, the worker and what else there is; print where to open it; end them together."""

    help = "Start memweb and print the address to open."
    stealth_options = ("stdin",)

    def handle(self, *args: Any, **options: Any) -> None:
        """Returns on INT or TERM. Raises CommandError (exit code 1) when memweb cannot start or a part of it ends."""
        supervisor = Supervisor()
        with supervisor.signals():
            try:
                with ground.hold_folder():
                    ground.try_port()
                    self._prepare_database()
                    self._run(supervisor)
            except ground.NotReady as reason:
                raise CommandError(str(reason)) from reason

    def _prepare_database(self) -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
            services.ensure_owner()
        except DatabaseError as error:
            # What first went wrong: of a transaction that can only be rolled back the last one says no more than that.
            first = error.__context__ if isinstance(error, TransactionManagementError) else None
            raise CommandError(
                f"The database does not answer or cannot be changed: {str(first or error).strip()}. "
                "Check DATABASE_URL, and that there is room on its disk."
            ) from error
        finally:
            connections.close_all()

    def _run(self, supervisor: Supervisor) -> None:
        try:
            if supervisor.asked_to_stop:
                return
            supervisor.start("server", "-m", "memweb.server")
            supervisor.start("worker", "manage.py", "work")
            if "runstreams" in get_commands():
                supervisor.start("streams", "manage.py", "runstreams")
            if supervisor.wait_until_healthy(f"{own_address()}/healthz"):
                self._welcome()
                supervisor.watch()
        except Ended as ended:
            raise CommandError(f"{ended} memweb has stopped as a whole. The lines above say why.") from ended
        except TimeoutError as error:
            raise CommandError("The server does not come up. `./run doctor` may say why.") from error
        finally:
            supervisor.stop()

    def _welcome(self) -> None:
        token = services.make_link(user=services.ensure_owner())
        connections.close_all()
        address = doctor.public_address() + reverse("sign-in-link", args=[token])
        self.stdout.write(f"memweb is ready: {address}")
        self.stdout.write("The link signs you in once, within 15 minutes. Another one: ./run signinlink")
        free_gb = shutil.disk_usage(settings.DATA_DIR).free / 1e9
        self.stdout.write(f"Everything is kept in {settings.DATA_DIR} ({free_gb:.0f} GB free). Ctrl-C stops memweb.")
        self.stdout.flush()
