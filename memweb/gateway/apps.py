from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "memweb.gateway"
    label = "gateway"
