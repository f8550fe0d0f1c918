"""The search for the INT8 form of a model that is accurate enough and fastest, whatever the model's task."""
