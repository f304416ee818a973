//! Epochs in any database: their columns, and the steps that change them.

use tokenkeep_core::{Error, ErrorKind, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochState};

use crate::columns::{Columns, kek_id, tampered, to_unsigned};

/// What is to be changed.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    Insert(&'a EpochRecord, Option<&'a EpochRecord>),
    Update(&'a EpochRecord),
    Remove(&'a KekId, Revision),
}

/// What is to be written, once nobody else can.
pub(crate) enum Write<'a> {
    Insert(&'a EpochRecord),
    Update(&'a EpochRecord),
    Delete(&'a KekId),
}

impl<'a> Step<'a> {
    /// What the step writes into these rows, in order.
    pub(crate) fn writes(self, present: &[EpochRecord]) -> Result<Vec<Write<'a>>, Error> {
        let writes = match self {
            Self::Insert(epoch, retires) if epoch.may_join(present, retires) => {
                retires.map(Write::Update).into_iter().chain([Write::Insert(epoch)]).collect()
            }
            Self::Update(epoch) if present.iter().any(|held| epoch.follows(held)) => {
                vec![Write::Update(epoch)]
            }
            Self::Remove(id, expected)
                if present.iter().any(|held| {
                    held.id == *id && held.revision == expected && held.state == EpochState::Destroying
                }) =>
            {
                vec![Write::Delete(id)]
            }
            _ => return Err(Error::new(ErrorKind::Conflict).because("the epochs were changed meanwhile")),
        };
        Ok(writes)
    }
}

pub(crate) fn epochs(rows: &[impl Columns]) -> Result<Vec<EpochRecord>, Error> {
    rows.iter().map(epoch).collect()
}

fn epoch(row: &impl Columns) -> Result<EpochRecord, Error> {
    let state = EpochState::from_name(row.text("state")?);
    Ok(EpochRecord {
        id: kek_id(row.bytes("id")?)?,
        state: state.ok_or_else(|| tampered("an epoch's state in the database is unknown"))?,
        revision: Revision::from_u64(to_unsigned(row.integer("revision")?)?),
        sealed: row.bytes("sealed")?.to_vec(),
        wraps_reserved: to_unsigned(row.integer("wraps_reserved")?)?,
        created_at: row.integer("created_at")?,
        state_since: row.integer("state_since")?,
    })
}
