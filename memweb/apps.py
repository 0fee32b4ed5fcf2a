from django.apps import AppConfig


class MemwebConfig(AppConfig):
    name = "memweb"
    label = "memweb"

    def ready(self) -> None:
        # Importing registers the checks.
        from memweb import checks  # noqa: F401
