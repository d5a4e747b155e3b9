//! The action `admin`: held against what the route asks of clients. Whoever may use it sees how much others have asked for,
//! and can let them ask for more.

use super::{Code, Diagnostic, Place};
use crate::config::Route;
use crate::config::identity::Authenticate;

/// Whether a route finds out who operators are: by what holds for it, which stands at a place of its own or of the
/// gateway's.
pub fn check(
    route: &Route,
    place: &Place,
    authenticate: Option<(&Authenticate, Place)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some((authenticate, found)) = authenticate else {
        let message = "anybody could use what is for operators";
        let help = "add `authenticate` to the route, so that it finds out who calls";
        let place = place.key("admin");
        diagnostics.push(Diagnostic::new(Code::NoIdentity, place, message, "nobody is known").help(help));
        return;
    };
    for (key, _) in [("optional", authenticate.optional), ("dry_run", authenticate.dry_run)].iter().filter(|one| one.1)
    {
        let message = "clients that are not known could use what is for operators";
        let help = format!("take `{key}` away, or give the route an `authenticate` of its own");
        let diagnostic = Diagnostic::new(Code::NoIdentity, place.key("admin"), message, "lets others pass").help(help);
        diagnostics.push(diagnostic.related(found.key(key), "by this"));
    }
    let asks = route.authorize.as_ref().is_some_and(|authorize| !authorize.dry_run);
    if route.authenticate.is_none() && !asks {
        let message = "every client that the gateway knows could use what is for operators";
        let help = "add `authorize` to the route, or an `authenticate` of its own";
        let diagnostic = Diagnostic::new(Code::NoIdentity, place.key("admin"), message, "for all of them").help(help);
        diagnostics.push(diagnostic.related(found.name(), "who these are"));
    }
}
