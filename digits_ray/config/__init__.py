"""Settings: frozen dataclasses (`schema`), the members that they ask for, and how they are read (`loading`)."""

from digits_ray.config.baselines_schema import (
    BASELINE_KINDS,
    BaselineKind,
    BaselinesConfig,
    BaselineSpace,
    ForestSpace,
    KnnSpace,
    TreeSpace,
)
from digits_ray.config.compatibility import complete_data, complete_settings, member_identity, trial_identity
from digits_ray.config.loading import load_config
from digits_ray.config.member_specs import ALL_ROWS, MemberSpec, member_specs, refit_specs
from digits_ray.config.own_network import OwnNetwork, architecture_identity, architecture_name, own_network_words
from digits_ray.config.preset import (
    DEFAULT_PRESET,
    Preset,
    find_preset,
    preset_in_full,
    preset_of_0_1_0,
    preset_yaml,
    presets,
)
from digits_ray.config.schema import (
    ARCHITECTURES,
    Augmentation,
    Config,
    DataConfig,
    EnsembleConfig,
    MembersConfig,
    Recipe,
    ResourcesConfig,
    SplitConfig,
    SubmissionConfig,
    TrackingConfig,
)
from digits_ray.config.serialization import config_from_dict, config_to_dict, config_to_yaml
from digits_ray.config.validation_errors import FLAG_OF_SETTING
from digits_ray.config.yaml_files import read_yaml

__all__ = [
    "ALL_ROWS",
    "ARCHITECTURES",
    "BASELINE_KINDS",
    "DEFAULT_PRESET",
    "FLAG_OF_SETTING",
    "Augmentation",
    "BaselineKind",
    "BaselineSpace",
    "BaselinesConfig",
    "Config",
    "DataConfig",
    "EnsembleConfig",
    "ForestSpace",
    "KnnSpace",
    "MemberSpec",
    "MembersConfig",
    "OwnNetwork",
    "Preset",
    "Recipe",
    "ResourcesConfig",
    "SplitConfig",
    "SubmissionConfig",
    "TrackingConfig",
    "TreeSpace",
    "architecture_identity",
    "architecture_name",
    "complete_data",
    "complete_settings",
    "config_from_dict",
    "config_to_dict",
    "config_to_yaml",
    "find_preset",
    "load_config",
    "member_identity",
    "member_specs",
    "own_network_words",
    "preset_in_full",
    "preset_of_0_1_0",
    "preset_yaml",
    "presets",
    "read_yaml",
    "refit_specs",
    "trial_identity",
]
