//! What `watches.yaml` says about rendered objects, before anything of them is written: `patches` and `restrict`.

use crate::diagnostic::chain;
use crate::reconcile::pass::{Cause, Failure, Pass, log};
use crate::reconcile::rendering::Rendered;
use crate::release::manifest::Object;
use crate::release::mode::Mode;
use crate::release::prepare::{self, Prepared, defined_scopes};
use crate::release::restrict::{Candidate, Violation};
use crate::release::{Digest, Gvk, ignore, patches, scope};
use crate::watches::Watch;

/// Puts the patches of a watch over what was rendered; gives a warning for each that is for nothing. Objects of hooks are
/// patched when they are sent, and here it is seen that they can be.
///
/// # Errors
/// A patch that does not fit what it is for.
pub fn patch(watch: &Watch, rendered: &mut Rendered) -> Result<Vec<String>, patches::Error> {
    let idle = patches::apply(&mut rendered.objects, &watch.patches)?;
    let of_hooks = patches::apply(&mut rendered.hook_objects(), &watch.patches)?;
    let idle = idle.into_iter().filter(|place| of_hooks.contains(place));
    Ok(idle.map(|place| format!("`patches[{place}]` is for no object of this release")).collect())
}

/// Leaves out of prepared objects what the watch leaves to others once they are there.
pub fn ignore(watch: &Watch, objects: &mut [Prepared]) {
    for object in objects {
        ignore::apply(object, &watch.ignore_fields);
    }
}

/// What was rendered, `crds/` and hooks included, and is not allowed in a release whose namespace is `own`. `scope` tells where
/// objects of a kind live, as far as the caller knows.
pub fn violations(watch: &Watch, rendered: &Rendered, own: &str, scope: prepare::ScopeOf<'_>) -> Vec<Violation> {
    let Some(restrict) = &watch.restrict else { return Vec::new() };
    let mut defined = defined_scopes(&rendered.objects);
    defined.extend(rendered.definitions.iter().filter_map(prepare::defined_scope));
    let defined = |gvk: &Gvk| defined.get(&(gvk.group.clone(), gvk.kind.clone())).copied();
    let scope = |gvk: &Gvk| scope(gvk).or_else(|| defined(gvk)).or_else(|| scope::builtin(gvk));
    let definitions = rendered.definitions.iter().map(|definition| {
        let text = |pointer| definition.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        (Gvk::new(text("/apiVersion"), text("/kind")), text("/metadata/namespace"), text("/metadata/name"))
    });
    let definitions: Vec<_> = definitions.collect();
    let definitions = definitions.iter().map(|(gvk, namespace, name)| Candidate {
        gvk,
        scope: scope(gvk),
        namespace,
        name,
        path: "crds/",
    });
    let mut hooks = rendered.hook_objects();
    // One that fails has refused the revision.
    drop(patches::apply(&mut hooks, &watch.patches));
    // What is only read is a look-up, and has rules of its own.
    let written = rendered.objects.iter().filter(|object| !(rendered.policy.is_some() && is_observed(object)));
    let objects = written.chain(&hooks).map(|object| Candidate {
        gvk: &object.gvk,
        scope: scope(&object.gvk),
        namespace: &object.namespace,
        name: &object.name,
        path: &object.path,
    });
    restrict.violations(definitions.chain(objects), own)
}

fn is_observed(object: &Object) -> bool {
    prepare::directives(&object.body).get("mode").is_some_and(|mode| mode == Mode::Observe.name())
}

impl Pass<'_> {
    /// Patches what was rendered, and refuses all of it if something may not be.
    pub(crate) async fn obey_rules(&self, rendered: &mut Rendered, inputs: Digest) -> Result<(), Failure> {
        let watch = &self.entry.watch;
        let idle = patch(watch, rendered).map_err(|error| Failure::refused(Cause::Render, chain(&error)))?;
        if !idle.is_empty() && self.controller.is_first_look(&self.key, inputs) {
            for warning in idle {
                log!(warn, self, "Patch not used", warning = warning);
            }
        }
        if watch.restrict.is_none() {
            return Ok(());
        }
        let mut kinds = rendered.kinds();
        kinds.extend(rendered.hook_objects().into_iter().map(|object| object.gvk));
        // The definition of one that is not served may be among what was rendered.
        let served = self.resolve(&kinds).await?;
        let scope = |gvk: &Gvk| Some(served.get(gvk)?.scope());
        let violations = violations(watch, rendered, &self.release.namespace, &scope);
        if violations.is_empty() {
            return Ok(());
        }
        let texts: Vec<_> = violations.iter().map(ToString::to_string).collect();
        Err(Failure::refused(Cause::Restrict, texts.join("; ")))
    }
}
