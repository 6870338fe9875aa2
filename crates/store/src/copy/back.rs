//! The way back, as long as nothing would be lost on it.

use super::{Held, Mark, Move, MoveError, Report, compare, survey};
use crate::postgres::copy::{Target, place};
use crate::sqlite::copy::Source;

/// Takes the SQLite database into use again, as long as PostgreSQL still is what was copied, which is emptied. With
/// `abandon` PostgreSQL is not asked: what was written there since is lost.
pub async fn reopen(order: &Move, abandon: bool) -> std::result::Result<(), MoveError> {
    let source = Held::open(order, true).await?;
    let Some(mark) = source.ask(|source| Ok(source.mark.clone())).await? else {
        return Err(MoveError::InUse("this database has not moved: there is nothing to reopen".into()));
    };
    if !abandon {
        if mark.place != place(&order.to)? {
            return Err(MoveError::Moved(mark.to_string()));
        }
        let mut target = Target::open(&order.to).await?;
        // An interrupted move has filled nothing, and an interrupted way back has emptied it already.
        let is_empty = target.occupied().await?.is_empty();
        if !is_empty || (mark.is_finished && !target.has_given_back(&mark.number()).await?) {
            untouched(&source, &mut target, &mark).await?;
            target.give_back(&mark.number()).await?;
            // First, because a SQLite database that is out of use while PostgreSQL is empty can still be reopened.
            target.commit().await?;
        }
    }
    source.ask(Source::reopen).await?;
    Ok(())
}

/// Whether PostgreSQL holds this move and nothing else.
async fn untouched(source: &Held, target: &mut Target, mark: &Mark) -> std::result::Result<(), MoveError> {
    let used = |why: &str| {
        let way = "the way back would lose what was written since";
        MoveError::InUse(format!("{} {why}: {way}", mark.place))
    };
    if !target.is_filled_by(&mark.number()).await? {
        return Err(used("holds something else"));
    }
    if target.is_in_use().await? {
        return Err(used("is being served from; stop those servers first, and try again"));
    }
    let mut report = Report::default();
    survey(source, &mut report, None, &mut |_| ()).await?;
    match compare(source, target, &mut report, &mut |_| ()).await {
        Err(MoveError::Differs(how)) => Err(used(&format!("has been used ({how})"))),
        other => other,
    }
}
