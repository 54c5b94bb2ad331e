"""Shards on a Dask cluster; the only room that imports Dask."""
