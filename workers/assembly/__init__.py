"""From an app folder to a running engine process: the only modules that name both engine and adapters."""

from workers.assembly.clients import check_live
from workers.assembly.graph import default_group
from workers.assembly.kafka_settings import client_config
from workers.assembly.process import engine_main
from workers.assembly.service import check_service

__all__ = ["check_live", "check_service", "client_config", "default_group", "engine_main"]
