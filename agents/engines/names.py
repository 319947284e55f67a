"""The engines that configurations and commands can name."""

from saccade.envs.errors import ConfigError, near

ENGINES = ("transformers", "vllm")


def check_engine(name: str) -> None:
    """Refuse a name that is none of `ENGINES`."""
    if name not in ENGINES:
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}; {near(name, ENGINES, 'engines')}")
