"""What is made of the project to hand it out: wheel, sdist, bundle, plugin, container, registry entry."""
