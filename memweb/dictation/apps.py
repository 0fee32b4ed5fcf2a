from django.apps import AppConfig


class DictationConfig(AppConfig):
    name = "memweb.dictation"
    label = "dictation"
