"""The operator's commands around the engine: `python -m ops COMMAND --stack STACK` (`make help` lists them)."""
