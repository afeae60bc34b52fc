//! Hash tables that give memory back after a busy hour.

use hashbrown::HashTable;

/// Tables smaller than this are left alone.
const SMALL: usize = 1024;

/// Makes a table smaller in which something was just removed, once an eighth of it is used. It halves at least, so the
/// work is paid by the removals that came before, and it is less than that of growing was.
pub fn relax<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    let capacity = table.capacity();
    if capacity > SMALL && table.len() < capacity / 8 {
        table.shrink_to(capacity / 4, hash);
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
