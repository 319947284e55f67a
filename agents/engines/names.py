"""The engines that configurations and commands can name."""

from saccade.envs.errors import ConfigError, near

ENGINES = ("transformers", "vllm", "api")


def check_engine(name: str) -> None:
    """Refuse a name that is none of `ENGINES`."""
    if name not in ENGINES:
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}; {near(name, ENGINES, 'engines')}")


def check_trainable(name: str) -> None:
    """Refuse an engine whose replies cannot be trained on."""
    check_engine(name)
    if name == "api":
        raise ConfigError(
            "engine 'api' is for evaluation and for collecting data: a server gives neither token ids nor the "
            "log-probabilities of its own sampling, and its weights are not ours; train with 'transformers' or 'vllm'"
        )
