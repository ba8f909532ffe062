"""The only code that awaits and orders. Sees ports, never adapters."""
