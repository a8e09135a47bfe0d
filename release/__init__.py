"""Builds everything that is published: wheel, sdist, bundle, plugin, container, registry entry."""
