"""The outside that the backends call: which names there are, and stand-ins of the APIs behind them.

lab/box/outside.py starts it in the namespace `wan` together with the box.
"""
