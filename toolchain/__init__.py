"""Engine, language host and provider plugins: found, downloaded or built, in this order."""
