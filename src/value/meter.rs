//! What a thread may still use: steps, memory that values hold, and time.
//!
//! Values stay on one thread, and so does what they cost. Strings, lists and maps count what they hold where they are made
//! and dropped; whoever walks a value asks [`visit`] at each element, and whoever makes something out of a count asks
//! [`claim`] before. Once something is spent everything ends as it can, and the template engine, which looks at [`spent`]
//! after each call, reports it. Without an open [`Meter`] nothing is ever spent.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::{Rc, Weak};

use crate::value::map::Entries;
use crate::value::{Str, Value};

/// How deep a walk follows a value: deeper than anything meant, and small beside the stacks of renders. What contains
/// itself has no end.
pub const MAX_NESTING: usize = 1_000;

/// What is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// See [`Allowance::steps`].
    Steps,
    /// See [`Allowance::memory`].
    Memory,
    /// See [`Allowance::late`].
    Time,
    /// A value is nested deeper than [`MAX_NESTING`], or contains itself.
    Nesting,
}

/// Tells whether time is up.
pub type Alarm = Box<dyn Fn() -> bool>;

/// What may be used while a [`Meter`] is open.
pub struct Allowance {
    /// Steps of an evaluation and elements of values that are visited.
    pub steps: u64,
    /// Bytes that values may hold at the same time, beside those that were there before.
    pub memory: usize,
    /// Whether time is up; asked every [`SLICE`] steps.
    pub late: Alarm,
}

/// How many steps pass between two looks at the clock: half a millisecond at most.
pub const SLICE: u64 = 1_024;

/// What a string holds beside its bytes: the counters before it, and what the allocator rounds up to.
const STRING: usize = 32;

/// What a list or map holds beside its elements.
const COLLECTION: usize = 64;

/// How many entries a node of a map's tree has room for; the first node is made whole.
const NODE_ENTRIES: usize = 11;

/// What an entry of a map takes in its node.
const ENTRY: usize = size_of::<(Str, Value)>();

/// What a list holds for each element.
const ELEMENT: usize = size_of::<Value>();

/// Only cells without a destructor: values are dropped until a thread's very end.
struct State {
    held: Cell<i64>,
    ceiling: Cell<i64>,
    /// Steps until the next look at the clock.
    slice: Cell<u64>,
    /// Steps after those.
    steps: Cell<u64>,
    spent: Cell<Option<Spent>>,
    open: Cell<bool>,
    /// How many drops of collections are under way inside each other.
    dropping: Cell<usize>,
}

/// Maps that were changed while somebody else held them. Only such a map can contain itself.
type Changed = Vec<Weak<Entries>>;

thread_local! {
    static STATE: State = const {
        State {
            held: Cell::new(0),
            ceiling: Cell::new(i64::MAX),
            slice: Cell::new(u64::MAX),
            steps: Cell::new(u64::MAX),
            spent: Cell::new(None),
            open: Cell::new(false),
            dropping: Cell::new(0),
        }
    };
    static ALARM: RefCell<Option<Alarm>> = const { RefCell::new(None) };
    static CHANGED: RefCell<Changed> = const { RefCell::new(Vec::new()) };
    static REMAINS: RefCell<Vec<Remains>> = const { RefCell::new(Vec::new()) };
}

/// An allowance in force, until it is dropped. Maps that contain themselves are taken apart then: nobody else would free
/// them. Values that a template changed are therefore not to be read after it.
#[derive(Debug)]
pub struct Meter {
    not_send: PhantomData<Rc<()>>,
}

impl Meter {
    /// Puts `allowance` in force for this thread; `None` if another is in force already, which then goes on.
    pub fn open(allowance: Allowance) -> Option<Self> {
        STATE.with(|state| {
            if state.open.replace(true) {
                return None;
            }
            let memory = i64::try_from(allowance.memory).unwrap_or(i64::MAX);
            state.ceiling.set(state.held.get().saturating_add(memory));
            let slice = allowance.steps.min(SLICE);
            state.slice.set(slice);
            state.steps.set(allowance.steps - slice);
            ALARM.set(Some(allowance.late));
            Some(Self { not_send: PhantomData })
        })
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let changed = CHANGED.take();
        for map in changed.iter().filter_map(Weak::upgrade) {
            // Nothing walks a map here. Its entries go after the borrow: their drop may reach this map.
            let entries = map.try_borrow_mut().map(|mut entries| std::mem::take(&mut *entries)).ok();
            if let Some(entries) = entries {
                release_entries(&entries);
                // The last to go is one of those the map is in, which then gives back what it holds itself.
                drop(map);
                bury(Remains::Map(entries));
            }
        }
        ALARM.set(None);
        STATE.with(|state| {
            state.ceiling.set(i64::MAX);
            state.slice.set(u64::MAX);
            state.steps.set(u64::MAX);
            state.spent.set(None);
            state.open.set(false);
        });
    }
}

/// Takes `steps`; whether they were there.
#[must_use]
pub fn spend(steps: u64) -> bool {
    STATE.with(|state| match state.slice.get().checked_sub(steps) {
        Some(left) => {
            state.slice.set(left);
            true
        }
        None => refill(state, steps),
    })
}

#[cold]
fn refill(state: &State, steps: u64) -> bool {
    let wanted = steps - state.slice.get();
    let late = || ALARM.with_borrow(|alarm| alarm.as_ref().is_some_and(|late| late()));
    match state.steps.get().checked_sub(wanted) {
        _ if state.spent.get().is_some() => false,
        None => exhaust(state, Spent::Steps),
        Some(_) if late() => exhaust(state, Spent::Time),
        Some(left) => {
            let slice = left.min(SLICE);
            state.slice.set(slice);
            state.steps.set(left - slice);
            true
        }
    }
}

/// From here on nothing is granted.
#[cold]
fn exhaust(state: &State, spent: Spent) -> bool {
    if state.open.get() && state.spent.get().is_none() {
        state.spent.set(Some(spent));
        state.slice.set(0);
        state.steps.set(0);
    }
    false
}

/// Whether `bytes` may be made, and be there twice while they are copied to where they stay.
#[must_use]
pub fn claim(bytes: usize) -> bool {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(2);
    STATE.with(|state| state.held.get().saturating_add(bytes) <= state.ceiling.get() || exhaust(state, Spent::Memory))
}

/// Whether a list of `elements` strings with `bytes` in all may be made.
#[must_use]
pub fn claim_texts(elements: usize, bytes: usize) -> bool {
    claim(elements.saturating_mul(usize::midpoint(ELEMENT, STRING)).saturating_add(bytes))
}

/// Whether a walk may visit one more element, having made `pending` bytes until now.
#[must_use]
pub fn visit(pending: usize) -> bool {
    spend(1) && claim(pending)
}

/// Whether a walk may go to `depth`; to be asked where it enters a collection.
#[must_use]
pub fn enter(depth: usize) -> bool {
    depth <= MAX_NESTING || STATE.with(|state| exhaust(state, Spent::Nesting))
}

/// Looks at the clock now.
pub fn look_at_clock() {
    STATE.with(|state| {
        if ALARM.with_borrow(|alarm| alarm.as_ref().is_some_and(|late| late())) {
            exhaust(state, Spent::Time);
        }
    });
}

/// What is spent, if anything is.
pub fn spent() -> Option<Spent> {
    STATE.with(|state| {
        if state.held.get() > state.ceiling.get() {
            exhaust(state, Spent::Memory);
        }
        state.spent.get()
    })
}

/// What the values of this thread hold.
#[cfg(test)]
pub(crate) fn held() -> i64 {
    STATE.with(|state| state.held.get())
}

fn hold(bytes: usize) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    STATE.with(|state| state.held.set(state.held.get().wrapping_add(bytes)));
}

fn release(bytes: usize) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    STATE.with(|state| state.held.set(state.held.get().wrapping_sub(bytes)));
}

/// Bytes that something other than a value holds, as long as this is there.
#[derive(Debug)]
pub struct Held(usize);

impl Held {
    /// Counts `bytes`.
    pub fn new(bytes: usize) -> Self {
        hold(bytes);
        Self(bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        release(self.0);
    }
}

// What the values call

pub(in crate::value) fn hold_string(length: usize) {
    hold(length + STRING);
}

pub(in crate::value) fn release_string(length: usize) {
    release(length + STRING);
}

pub(in crate::value) fn hold_list(elements: usize) {
    hold(elements * ELEMENT + COLLECTION);
}

pub(in crate::value) fn release_list(elements: usize) {
    release(elements * ELEMENT + COLLECTION);
}

/// What a tree of so many entries takes. Its nodes are two thirds full, as keys come in any order.
fn tree(entries: usize) -> usize {
    match entries {
        0 => 0,
        1..=NODE_ENTRIES => NODE_ENTRIES * ENTRY,
        _ => entries * ENTRY * 3 / 2,
    }
}

pub(in crate::value) fn hold_map(entries: usize) {
    hold(tree(entries) + COLLECTION);
}

pub(in crate::value) fn release_map() {
    release(COLLECTION);
}

pub(in crate::value) fn release_entries(entries: &BTreeMap<Str, Value>) {
    release(tree(entries.len()));
}

/// A map grew to `entries`.
pub(in crate::value) fn hold_entry(entries: usize) {
    hold(tree(entries) - tree(entries.saturating_sub(1)));
}

/// A map shrank to `entries`.
pub(in crate::value) fn release_entry(entries: usize) {
    release(tree(entries + 1) - tree(entries));
}

/// Notes a map that somebody else holds too and that now has `value`.
pub(in crate::value) fn changed(map: &Rc<Entries>, value: &Value) {
    let open = STATE.with(|state| state.open.get());
    if !open || Rc::strong_count(map) == 1 || !matches!(value, Value::Map(_) | Value::List(_)) {
        return;
    }
    CHANGED.with_borrow_mut(|changed| {
        if changed.last().is_some_and(|last| std::ptr::eq(last.as_ptr(), Rc::as_ptr(map))) {
            return;
        }
        // Those that are gone are forgotten whenever the list would grow.
        if changed.len() == changed.capacity() {
            changed.retain(|map| map.strong_count() > 0);
            changed.sort_unstable_by_key(Weak::as_ptr);
            changed.dedup_by_key(|map| map.as_ptr());
            // Room for as many again, so that this is not done at every call.
            changed.reserve(changed.len() + 1);
        }
        changed.push(Rc::downgrade(map));
    });
}

/// What a collection leaves when it is dropped.
pub(in crate::value) enum Remains {
    List(Vec<Value>),
    Map(BTreeMap<Str, Value>),
}

impl Remains {
    fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
        }
    }
}

/// How many collections are dropped inside each other before the rest waits: values may be nested deeper than stacks are.
const MAX_DROPPING: usize = 64;

/// Drops what a collection held.
pub(in crate::value) fn bury(remains: Remains) {
    if remains.is_empty() {
        return;
    }
    let depth = STATE.with(|state| state.dropping.get());
    if depth >= MAX_DROPPING {
        // At the very end of a thread there is no list to wait in, and nothing deep left either.
        _ = REMAINS.try_with(|waiting| waiting.borrow_mut().push(remains));
        return;
    }
    STATE.with(|state| state.dropping.set(depth + 1));
    drop(remains);
    while depth == 0
        && let Ok(Some(next)) = REMAINS.try_with(|waiting| waiting.borrow_mut().pop())
    {
        drop(next);
    }
    STATE.with(|state| state.dropping.set(depth));
}
