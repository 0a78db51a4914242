"""Names that players of a game might have, from many places; the same ones in every run."""

import random
from collections.abc import Iterator

from app.core.names import name_key


def _words(text: str) -> list[str]:
    return text.split()


GIVEN = _words("""
Aiko Amara Anouk Aylin Björn Bruno Camila Chidi Chloé Dariusz Diego Dimitri Elif Emeka Enzo Esra
Farah Fatima Finn Freya Giulia Hana Haruto Hiro Ines Ingrid Isla Ivan Jamal Jia João Jonas Kaito
Kwame Lars Leila Liam Linh Luca Luka Łukasz Maja Mateo Mei Mila Minjun Nadia Ngozi Nils Noor Omar
Priya Quinn Rafael Rania Ravi Renée Rosa Ruben Saskia Selma Seo-yeon Siobhán Sofía Søren Sven
Tariq Thabo Tomás Uma Valentina Viktor Wei Xochitl Yara Yusuf Zainab Zoë Zsófia Юля Артём
陽翔 さくら 민준 지우 浩然 Νίκος Ελένη
""")

TITLES = _words("""
Aqua Arctic Astro Binary Blaze Blitz Bold Broken Captain Chaos Cosmic Crimson Cyber Dark Dawn Dizzy
Echo Electric Emerald Feral Frost Funky Ghost Golden Grim Hyper Icy Iron Jade Lazy Lucky Lunar
Mad Magic Mellow Midnight Mighty Mystic Neon Night Nimble Nova Obsidian Old Phantom Pixel Plasma
Quantum Quick Quiet Rapid Red Retro Rogue Royal Rusty Salty Scarlet Shadow Silent Silver Sleepy
Sly Sneaky Solar Sonic Steel Stormy Sugar Swift Tiny Toxic Turbo Ultra Velvet Violet Viral Void
Wicked Wild Winter Zen
""")

CREATURES = _words("""
Aardvark Badger Bandit Bear Cobra Comet Condor Cougar Coyote Crow Daemon Djinn Dragon Duck Eagle
Falcon Ferret Fox Gecko Goblin Golem Griffin Hawk Hedgehog Heron Hornet Hunter Husky Jackal
Jaguar Kitsune Knight Koala Kraken Lemur Leopard Lion Llama Lynx Mage Mantis Moth Narwhal Ninja
Ocelot Octopus Oracle Orca Otter Owl Panda Panther Pelican Penguin Phoenix Pilot Pirate Puma Rabbit
Raccoon Ranger Raven Rider Robot Rook Samurai Scout Shark Sniper Spider Sphinx Tiger Toad Titan
Viper Vortex Walrus Wizard Wolf Wombat Yeti
""")

_SEED = 20_240_229


def usernames() -> Iterator[str]:
    """Endlessly many, all different whatever their case, always in the same order."""
    dice = random.Random(_SEED)  # noqa: S311 - names, not secrets
    used: set[str] = set()
    while True:
        name = _draw(dice)
        while name_key(name) in used:
            name = f"{name.rstrip('0123456789')}{dice.randrange(10_000)}"
        used.add(name_key(name))
        yield name


def _draw(dice: random.Random) -> str:
    given, title, creature = dice.choice(GIVEN), dice.choice(TITLES), dice.choice(CREATURES)
    styles = (
        f"{title}{creature}",
        f"{title}{creature}{dice.randrange(100):02}",
        f"{title.lower()}_{creature.lower()}",
        f"{given}{dice.randrange(1975, 2013)}",
        f"{given}_{creature}",
        f"{given} the {title}",
        f"{title}{given}",
        f"xX_{creature}_Xx",
        f"{given.lower()}.{creature.lower()}",
        f"The{title}{creature}",
    )
    return dice.choices(styles, weights=(20, 14, 12, 12, 10, 6, 10, 2, 8, 6))[0]
