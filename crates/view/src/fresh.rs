//! Worlds of random objects, and questions to them that are answered anew each time.

use pilothouse_testkit::script::Step;
use pilothouse_testkit::settings;
use pilothouse_world::{Change, Key, Record, World};

use crate::{Answer, Ask, Query, Reader, resolve};

/// The world that a script leads to.
pub(crate) fn world(script: &[Step]) -> World {
    let mut world = World::default();
    for step in script {
        let Step::Apply(value) = step else { continue };
        if let pilothouse_config::Outcome::Object(key, object) =
            pilothouse_config::judge(value, &settings()).outcome
        {
            world.apply([Change::Apply { key, object, origin: None }]);
        }
    }
    world
}

/// Answers without keeping anything.
pub(crate) struct Fresh<'w>(pub(crate) &'w World, pub(crate) Nothing);

/// Keeps no record of what is read.
pub(crate) struct Nothing;

impl Record for Nothing {
    fn read(&mut self, _: Key) {}
}

impl Ask for Fresh<'_> {
    fn ask(&mut self, query: Query) -> Answer {
        resolve(&query, &mut Reader::new(self))
    }

    fn world(&mut self) -> pilothouse_world::Reader<'_> {
        pilothouse_world::Reader::new(self.0, &mut self.1)
    }
}
