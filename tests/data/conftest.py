from tests.sources.conftest import cache_root as cache_root
