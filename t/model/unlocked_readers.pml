/*
 * Readers without a lock beside LMDB's one writer.
 *
 * The writer follows liblmdb 0.9.31 (mdb.c) with MDB_NOLOCK; every part names its function. The
 * reader follows the four steps that README.md lists, as it does how to run this and what it shows.
 *
 * A tree is a root page and two leaves, of two words each:
 *
 *     root         w0: page of the data leaf   w1: page of the meta leaf
 *     data leaf    w0, w1: VALUE(commit that wrote it)
 *     meta leaf    w0: NAME(transaction)       w1: CHECK(commit, commit that wrote the data leaf)
 *
 * The meta leaf stands for the leaf that holds the store's meta record (w0) among others; w1 is a
 * record there that a look-up needs, and tells the model which tree it belongs to. Every commit
 * writes the root and the meta leaf anew, and the data leaf or not. Commits are counted apart from
 * transactions: one that a kill undoes leaves its number to the next.
 *
 * Readers write nothing, so nobody notices them: a single one, which may begin a look-up at any
 * moment and again and again, stands for all.
 *
 * Defines:
 *   TXNS          the last transaction; the first is committed from the start
 *   KILLS         how often the writer may be killed
 *   SPARE         pages that transaction 1 has freed, so that the writer need not take all there are
 *   LAG           how many commits a result may lie behind the last that had returned
 *   ORDERS        in which a transaction may take its pages: ONE_ORDER, META_FIRST or ANY_ORDER
 *   NO_STEP_4, NO_FENCE, NO_NAME, NUMBER_ONLY, ROOT_LAST, REUSE_NEWEST    what the protocol cannot do without
 */
#ifndef TXNS
#define TXNS 6
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef SPARE
#define SPARE 0
#endif
#ifndef LAG
#define LAG 0
#endif

#define PAGES (9 + SPARE) /* three each for transactions N-1 and N, which stay, and for N+1 */
#define INVALID 255       /* P_INVALID */

/* A reader tells leaves from branch pages by their flags, and records by their keys. */
#define VALUE(commit) (16 + (commit))
#define NAME(txn) (32 + (txn))
#define CHECK(commit, data) (64 + 8 * (commit) + (data))
#define IS_PAGE(word) ((word) < PAGES)
#define IS_VALUE(word) ((word) / 16 == 1)
#define IS_CHECK(word) ((word) >= 64)
#define COMMIT_OF_VALUE(word) ((word) - 16)
#define COMMIT_OF_CHECK(word) ((word) / 8 - 8)
#define VALUE_OF_CHECK(word) ((word) % 8)

/* The file as all see it: of each meta page mm_txnid and the main database's md_root, then pages. */
byte number[2], root[2];
byte w0[PAGES], w1[PAGES];

/* FREE_DBI: the key of the record that lists a page, or 0. No reader looks at it. */
byte freed_by[PAGES];
byte next_pgno; /* mm_last_pg + 1 */

/* What the property speaks of, counted in commits. */
byte begun, returned;
bool visible[8]; /* some word of the meta page may be seen */

/* Scratch within one step, 0 between them. */
byte i, found;

/* ---- The writer --------------------------------------------------------------------------- */

/* mdb_find_oldest: with no reader table, the transaction before this one. */
#ifdef REUSE_NEWEST
#define OLDEST txn
#else
#define OLDEST (txn - 1)
#endif

/*
 * mdb_page_alloc: the smallest page of the free-list records read so far (up to me_pglast, here
 * pglast); if none is left, the next record is read, unless mdb_find_oldest forbids it; else a new
 * page at the end. What was taken before in this transaction is still listed: mdb_freelist_save
 * runs at the commit.
 */
inline page_alloc(page) {
    do
    :: true ->
        found = INVALID;
        i = PAGES;
        do
        :: i == 0 -> break
        :: else ->
            i--;
            if
            :: freed_by[i] != 0 && freed_by[i] <= pglast &&
                   i != new_root && i != new_meta && i != new_data -> found = i
            :: else
            fi
        od;
        if
        :: found != INVALID -> page = found; break
        :: else
        fi;
        i = 0;
        do
        :: i == PAGES -> break
        :: else ->
            if
            :: freed_by[i] > pglast && freed_by[i] < found -> found = freed_by[i]
            :: else
            fi;
            i++
        od;
        if
        :: found < OLDEST -> pglast = found
        :: else ->
            page = next;
            next++;
            assert(page < PAGES);
            break
        fi
    od;
    i = 0;
    found = 0
}

#define ONE_ORDER 1   /* root, meta leaf, data leaf */
#define META_FIRST 2  /* meta leaf before data leaf */
#define ANY_ORDER 3
#ifndef ORDERS
#define ORDERS ANY_ORDER
#endif
#define MAY_TOUCH_META (ORDERS > ONE_ORDER || !(to_touch & ROOT))
#define MAY_TOUCH_DATA (ORDERS == ANY_ORDER || MAY_TOUCH_META && !(to_touch & META))

/* Words that the transaction has still to write. */
#define ROOT_W0 1
#define ROOT_W1 2
#define ROOT (ROOT_W0 | ROOT_W1)
#define META_W0 4
#define META_W1 8
#define META (META_W0 | META_W1)
#define DATA_W0 16
#define DATA_W1 32
#define DATA (DATA_W0 | DATA_W1)
#define SPILL_W0 64
#define SPILL_W1 128
#define SPILL (SPILL_W0 | SPILL_W1)
/* ... and of its meta page. */
#define NUMBER 1
#define MD_ROOT 2
#define WRITE(word, after, where, value) \
    d_step { (pending & (word)) && !(pending & (after)) -> where = value; pending = pending - (word) }
#define LOWEST(page) \
    (!(pending & SPILL) && !(pending & ROOT && new_root < page) && \
     !(pending & META && new_meta < page) && !(pending & DATA && new_data < page))
#define FLUSH(word, after, page, where, value) \
    d_step { \
        (pending & (word)) && !(pending & (after)) && LOWEST(page) -> \
        where[page] = value; \
        pending = pending - (word) \
    }

/* A commit that is killed, at any word, leaves what it wrote and nothing else. */
#define KILLED atomic { kills < KILLS -> kills++; goto begin }

active proctype writer() {
    byte txn, old_root, old_data, old_meta, new_root, new_data, new_meta;
    byte pglast, next, pending, spill_from, spill_to, kills;
    byte to_touch;
    bool slot, with_data;

    d_step {
        /* Transaction 1 has returned; meta page 0 is as mdb_env_init_meta left it. */
        number[1] = 1;
        root[0] = INVALID;
        root[1] = 2;
        w0[0] = NAME(1);
        w1[0] = CHECK(1, 1);
        w0[1] = VALUE(1);
        w1[1] = VALUE(1);
        w0[2] = 1;
        w1[2] = 0;
        next_pgno = 3;
        do
        :: next_pgno == 3 + SPARE -> break
        :: else -> freed_by[next_pgno] = 1; next_pgno++
        od;
        begun = 1;
        returned = 1;
        visible[1] = true
    }

begin:
    /* mdb_txn_renew0 and mdb_env_pick_meta: with MDB_NOLOCK every transaction begins with the newer
       meta page, and so does a writer that starts again. Nothing else outlives a kill. */
    atomic {
        true; /* a label may not lead into a d_step */
        d_step {
            slot = number[0] < number[1];
            txn = number[slot] + 1;
            old_root = root[slot];
            slot = !slot;
            old_data = w0[old_root];
            old_meta = w1[old_root];
            new_root = INVALID;
            new_data = INVALID;
            new_meta = INVALID;
            next = next_pgno;
            pglast = 0;
            pending = 0;
            spill_from = 0;
            spill_to = 0
        }
        if
        :: txn > TXNS -> goto done
        :: else
        fi;
        begun++;

        /* mdb_page_touch: which pages, and in which order, is up to what the transaction does. (A
           path is touched from the root down; a root that splits is new at the end.) */
        if
        :: with_data = true; pending = ROOT | META | DATA
        :: with_data = false; pending = ROOT | META
        fi;
        to_touch = pending;
        do
        :: d_step { to_touch & ROOT -> to_touch = to_touch - ROOT; page_alloc(new_root) }
        :: d_step {
                to_touch & META && MAY_TOUCH_META -> to_touch = to_touch - META; page_alloc(new_meta)
           }
        :: d_step {
                to_touch & DATA && MAY_TOUCH_DATA -> to_touch = to_touch - DATA; page_alloc(new_data)
           }
        :: to_touch == 0 -> break
        od;

        /* mdb_page_spill: a touched page may be written before it is changed, as a copy of the old
           one, and once more in the same place (mdb_page_unspill). */
        if
        :: true
        :: pending = pending | SPILL; spill_from = old_root; spill_to = new_root
        :: pending = pending | SPILL; spill_from = old_meta; spill_to = new_meta
        :: with_data -> pending = pending | SPILL; spill_from = old_data; spill_to = new_data
        fi
    }

    /* mdb_page_flush: the dirty pages by their numbers. */
    do
    :: WRITE(SPILL_W0, 0, w0[spill_to], w0[spill_from])
    :: WRITE(SPILL_W1, SPILL_W0, w1[spill_to], w1[spill_from])
    :: FLUSH(ROOT_W0, 0, new_root, w0, (with_data -> new_data : old_data))
    :: FLUSH(ROOT_W1, ROOT_W0, new_root, w1, new_meta)
    :: FLUSH(META_W0, 0, new_meta, w0, NAME(txn))
    :: FLUSH(META_W1, META_W0, new_meta, w1,
             CHECK(begun, (with_data -> begun : COMMIT_OF_VALUE(w0[old_data]))))
    :: FLUSH(DATA_W0, 0, new_data, w0, VALUE(begun))
    :: FLUSH(DATA_W1, DATA_W0, new_data, w1, VALUE(begun))
    :: KILLED
    :: d_step {
            pending == 0 ->
            spill_from = 0;
            spill_to = 0;
            pending = NUMBER | MD_ROOT;
            visible[begun] = true
       } -> break
    od;

    /* mdb_env_write_meta, after the sync: one pwrite within a page, which no kill cuts in two. Its
       words are seen in any order. */
    do
    :: WRITE(NUMBER, 0, number[slot], txn)
    :: WRITE(MD_ROOT, 0, root[slot], new_root)
    :: d_step {
            pending == 0 ->
            /* mdb_freelist_save: pages that were taken are no longer listed, those that the
               transaction freed are, under its number. The list is one more tree of this commit:
               a writer that starts again sees it with the root, or not. */
            freed_by[new_root] = 0;
            freed_by[new_meta] = 0;
            freed_by[old_root] = txn;
            freed_by[old_meta] = txn;
            if
            :: with_data -> freed_by[new_data] = 0; freed_by[old_data] = txn
            :: else
            fi;
            next_pgno = next
       } -> break
    od;
    if
    :: returned = begun
    :: KILLED
    fi;
    goto begin;

done:
    skip
}

/* ---- The reader --------------------------------------------------------------------------- */

#define TORN_IF(condition) if :: condition -> goto look_up :: else fi
#define OUTDATED(page) ((page) == n % 2 && number[page] != n || number[page] > n)

active proctype reader() {
    byte n, r, page, known;
    byte floor, value; /* what the property needs: the last commit before, what the data must be */
    bool reread, whole, not_behind;

look_up:
    atomic {
        n = 0;
        r = 0;
        page = 0;
        value = 0;
        reread = false;
        whole = false;
        not_behind = false;
        floor = returned
    }

    /* Step 1. */
    n = number[0];
    d_step {
        if
        :: number[1] > n -> n = number[1]
        :: else
        fi;
        known = (known == n -> n : 0) /* a number that is gone does not return */
    }
    atomic { r = root[n % 2]; TORN_IF(!IS_PAGE(r)) }

#ifdef NO_FENCE
    /* A processor may have loaded the words of step 4 by now. */
    atomic {
        if
        :: true
        :: reread = true; TORN_IF(OUTDATED(0) || OUTDATED(1) || root[n % 2] != r)
        fi
    }
#endif

    /* Steps 2 and 3. What is copied is judged here, and asserted where it is taken. */
    atomic { page = w1[r]; TORN_IF(!IS_PAGE(page)) }
#ifndef NO_NAME
    atomic { TORN_IF(known != n && w0[page] != NAME(n)) }
#endif
    atomic {
        TORN_IF(!IS_CHECK(w1[page]));
        whole = visible[COMMIT_OF_CHECK(w1[page])];
        not_behind = COMMIT_OF_CHECK(w1[page]) + LAG >= floor;
        value = VALUE_OF_CHECK(w1[page]);
        page = 0;
        floor = 0
    }
    atomic { page = w0[r]; TORN_IF(!IS_PAGE(page)) }
    atomic { TORN_IF(!IS_VALUE(w0[page])); whole = whole && w0[page] == VALUE(value) }
    atomic {
        TORN_IF(!IS_VALUE(w1[page]));
        whole = whole && w1[page] == VALUE(value);
        page = 0;
        value = 0
    }

#ifndef NO_STEP_4
    if
    :: reread
    :: !reread ->
#if !defined(NUMBER_ONLY) && !defined(ROOT_LAST)
        /* Before the numbers: behind them, the root may be that of N+2, in the page of N-2's. */
        atomic { TORN_IF(root[n % 2] != r) }
#endif
        atomic { TORN_IF(OUTDATED(0)) }
        atomic { TORN_IF(OUTDATED(1)) }
#ifdef ROOT_LAST
        atomic { TORN_IF(root[n % 2] != r) }
#endif
    fi;
#endif

    atomic { assert(whole); assert(not_behind); known = n; goto look_up }
}
