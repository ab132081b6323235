# cython: embedsignature=True, embedsignature.format=c, cdivision=True
"""Beam search with a C interface, and the max-violation updates that train through it.

A beam holds `width` states and as many parents. The caller scores every (state, class) pair, `advance` keeps
the best `width` successors, `check_done` flags those that have reached an end. States are opaque
pointers that the caller's callbacks make, copy and delete.

Huang, Fayong and Guo 2012, "Structured Perceptron with Inexact Search" (max violation);
Andor et al. 2016, "Globally Normalized Transition-Based Neural Networks" (the CRF form).
"""

cimport cython
from libc.math cimport exp
from libc.stdint cimport SIZE_MAX
from libc.string cimport memcpy, memset
from libcpp.unordered_set cimport unordered_set
from libcpp.vector cimport vector


cdef int _delete_state(Pool mem, del_func_t del_func, void* content) noexcept:
    # noexcept: an error in one callback is reported, and the other states are still deleted.
    return del_func(mem, content, NULL)


cdef int _delete_states(Pool mem, del_func_t del_func, _State* states,
                        size_t width) noexcept:
    """Give back every content that was made; an initialize that raised made fewer than all."""
    cdef size_t i
    cdef void* content
    for i in range(width):
        content = states[i].content
        states[i].content = NULL
        if content is not NULL:
            _delete_state(mem, del_func, content)
    return 0


cdef weight_t** _alloc_rows(Pool mem, size_t nr_row, size_t nr_col) except NULL:
    """Row pointers into one zeroed block of 4-byte cells."""
    cdef weight_t** rows = <weight_t**>mem.alloc(nr_row, sizeof(weight_t*))
    cdef weight_t* cells = <weight_t*>mem.alloc(nr_row * nr_col, sizeof(weight_t))
    cdef size_t i
    for i in range(nr_row):
        rows[i] = cells + i * nr_col
    return rows


# no_gc_clear: the destructor hands `mem` to callbacks, so the collector must not clear it before.
@cython.no_gc_clear
cdef class Beam:
    """The best `width` ways to go on, each with its score, loss and history of classes.

    nr_class: classes per state. width: states kept. min_density: drop a candidate whose probability is
    below this fraction of the best one's; 0 keeps all.
    """

    def __init__(self, class_t nr_class, class_t width, weight_t min_density=0.0):
        assert nr_class != 0, "Beam: nr_class must be at least 1, got 0"
        assert width != 0, "Beam: width must be at least 1, got 0"
        if width > SIZE_MAX // sizeof(_State) // nr_class:
            raise MemoryError(f"Beam: {width} states of {nr_class} classes do not fit")
        if self.del_func is not NULL:
            raise TypeError("Beam: an initialized beam cannot be constructed again")
        self.mem = Pool()
        self.nr_class = nr_class
        self.width = width
        self.size = 1
        self.t = 0
        self.is_done = False
        self.min_density = min_density
        self._states = <_State*>self.mem.alloc(width, sizeof(_State))
        self._parents = <_State*>self.mem.alloc(width, sizeof(_State))
        self.scores = _alloc_rows(self.mem, width, nr_class)
        self.costs = _alloc_rows(self.mem, width, nr_class)
        self.is_valid = <int**>_alloc_rows(self.mem, width, nr_class)
        self.histories = [[] for _ in range(width)]
        self._parent_histories = [[] for _ in range(width)]

    def __dealloc__(self):
        if self.del_func is not NULL:
            _delete_states(self.mem, self.del_func, self._states, self.width)
            _delete_states(self.mem, self.del_func, self._parents, self.width)

    def __len__(self):
        return self.size

    @property
    def score(self):
        """The best state's score."""
        _check_made(self)
        return self._states[0].score

    @property
    def min_score(self):
        """The score of the worst state kept."""
        _check_made(self)
        return self._states[self.size - 1].score

    @property
    def loss(self):
        """The best state's loss: the sum of the costs on its way."""
        _check_made(self)
        return self._states[0].loss

    @property
    def scores(self):
        """The score of every state kept, best first."""
        return _state_scores(self)

    @property
    def probs(self):
        """The softmax of the scores."""
        return _softmax(_state_scores(self))

    cdef int _fill(self, Queue* q, weight_t** scores, int** is_valid) except -1:
        """Put every candidate that passes min_density into the queue.

        A finished state is its own single candidate. It gains its average score per step, as the unfinished
        ones gain the score of one more.
        """
        cdef vector[Entry] entries
        cdef Entry entry
        cdef _State* state
        cdef size_t i, j
        cdef double best
        assert self.size >= 1, "Beam: no state is left to go on from"
        for i in range(self.size):
            state = &self._states[i]
            if state.is_done:
                entry.first = state.score
                if self.histories[i]:
                    entry.first += state.score / <weight_t>self.t
                entry.second = i * self.nr_class
                entries.push_back(entry)
            else:
                for j in range(self.nr_class):
                    if is_valid[i][j]:
                        entry.first = state.score + scores[i][j]
                        entry.second = i * self.nr_class + j
                        entries.push_back(entry)
        if self.min_density == 0 or entries.empty():
            for entry in entries:
                q.push(entry)
            return 0
        best = entries[0].first
        for entry in entries:
            if entry.first > best:
                best = entry.first
        # exp(score - best) is the candidate's probability divided by that of the best.
        for entry in entries:
            if exp(entry.first - best) >= self.min_density:
                q.push(entry)
        return 0

    cdef int initialize(self, init_func_t init_func, del_func_t del_func, int n,
                        void* extra_args) except -1:
        """Make the content of every state and parent: 2 * width calls of init_func.

        del_func is called for each of them, with a null third argument, when the beam goes.
        """
        cdef size_t i
        _check_made(self)
        if self.del_func is not NULL:
            _delete_states(self.mem, self.del_func, self._states, self.width)
            _delete_states(self.mem, self.del_func, self._parents, self.width)
        self.del_func = del_func
        for i in range(self.width):
            self._states[i].content = init_func(self.mem, n, extra_args)
            self._parents[i].content = init_func(self.mem, n, extra_args)
        return 0

    cdef int advance(self, trans_func_t transition_func, hash_func_t hash_func,
                     void* extra_args) except -1:
        """Replace the states by their best `width` successors and clear the tables.

        Of candidates that hash_func maps to one key only the best is kept, except keys 0 and 1. A null
        hash_func keeps all.

        A slot that once held a finished state keeps its flag when an unfinished one moves in. That is
        a fault, kept because trained beam models and their tests depend on the path it takes.
        """
        cdef Queue q
        cdef unordered_set[hash_t] seen
        cdef _State* state
        cdef _State* parent
        cdef _State moved
        cdef list history
        cdef weight_t score
        cdef hash_t key
        cdef size_t i = 0
        cdef size_t index, p, c
        self._fill(&q, self.scores, self.is_valid)
        self._states, self._parents = self._parents, self._states
        self.histories, self._parent_histories = self._parent_histories, self.histories
        while i < self.width and not q.empty():
            score = q.top().first
            index = q.top().second
            q.pop()
            p = index // self.nr_class
            c = index % self.nr_class
            state = &self._states[i]
            parent = &self._parents[p]
            history = <list>self._parent_histories[p]
            if parent.is_done:
                # No transition: the content changes place, and its old owner gets the other one.
                moved = state[0]
                state[0] = parent[0]
                parent[0] = moved
                parent.i = state.i
                parent.t = state.t
                parent.is_done = state.t
                state.score = score
                self.histories[i] = history[:]
                i += 1
                continue
            transition_func(state.content, parent.content, c, extra_args)
            key = hash_func(state.content, extra_args) if hash_func is not NULL else 0
            if key > 1:
                if seen.count(key):
                    continue
                seen.insert(key)
            state.score = score
            state.loss = parent.loss + self.costs[p][c]
            self.histories[i] = history + [c]
            i += 1
        self.size = i
        assert self.size >= 1, "Beam: no candidate was valid"
        index = self.width * self.nr_class
        memset(self.scores[0], 0, sizeof(weight_t) * index)
        memset(self.costs[0], 0, sizeof(weight_t) * index)
        memset(self.is_valid[0], 0, sizeof(int) * index)
        self.t += 1
        return 0

    cdef int check_done(self, finish_func_t finish_func, void* extra_args) except -1:
        """Flag the states that have ended; the beam is done when every state kept is."""
        cdef size_t i
        cdef bint is_done = True
        for i in range(self.size):
            if not self._states[i].is_done:
                self._states[i].is_done = finish_func(self._states[i].content, extra_args)
            is_done = is_done and self._states[i].is_done
        self.is_done = is_done
        return 0

    cdef int set_row(self, int i, const weight_t* scores, const int* is_valid,
                     const weight_t* costs) except -1:
        """Copy nr_class scores, validities and costs for state i."""
        memcpy(self.scores[i], scores, sizeof(weight_t) * self.nr_class)
        memcpy(self.is_valid[i], is_valid, sizeof(int) * self.nr_class)
        memcpy(self.costs[i], costs, sizeof(weight_t) * self.nr_class)
        return 0

    cdef int set_table(self, weight_t** scores, int** is_valid,
                       weight_t** costs) except -1:
        """set_row for all `width` states."""
        cdef int i
        for i in range(<int>self.width):
            self.set_row(i, scores[i], is_valid[i], costs[i])
        return 0


cdef int _check_made(Beam beam) except -1:
    # Beam.__new__ without __init__ leaves no states to read.
    if beam._states is NULL:
        raise ValueError("Beam: not constructed; call Beam(nr_class, width)")
    return 0


cdef list _state_scores(Beam beam):
    cdef size_t i
    return [beam._states[i].score for i in range(beam.size)]


cdef class MaxViolation:
    """Finds the step at which the predicted beam exceeds the gold one the most.

    Call check (or check_crf) after every step of a predicted and a gold beam; what it recorded last is what to
    learn from. p_ is of the prediction, g_ of the gold.
    """

    def __init__(self):
        self.cost = 0
        self.delta = -1
        self.p_score = 0
        self.g_score = 0
        self.Z = 0
        self.gZ = 0
        self.p_hist = []
        self.g_hist = []
        self.p_probs = []
        self.g_probs = []

    cpdef int check(self, Beam pred, Beam gold) except -1:
        """Record the two best paths if the prediction is wrong and its margin grew.

        Z sums exp(score) over wrong predicted and right gold states, gZ over the latter.
        """
        cdef size_t i
        _check_made(pred)
        _check_made(gold)
        cdef weight_t delta = pred._states[0].score - gold._states[0].score
        cdef weight_t loss = pred._states[0].loss
        if loss < 1 or not (self.cost == 0 or delta > self.delta):
            return 0
        self.cost = loss
        self.delta = delta
        self.p_hist = list(pred.histories[0])
        self.g_hist = list(gold.histories[0])
        self.p_score = pred._states[0].score
        self.g_score = gold._states[0].score
        self.Z = 1e-10  # so that a division by it is defined
        self.gZ = 1e-10
        for i in range(pred.size):
            if pred._states[i].loss > 0:
                self.Z += exp(pred._states[i].score)
        for i in range(gold.size):
            if gold._states[i].loss == 0:
                self.Z += exp(gold._states[i].score)
                self.gZ += exp(gold._states[i].score)
        return 0

    cpdef int check_crf(self, Beam pred, Beam gold) except -1:
        """Record all paths, and the gradients of their scores, under the same condition.

        p_hist are wrong predicted paths, g_hist right ones of either beam; p_probs = P(path | all) and
        g_probs = P(path | all) - P(path | right).
        """
        cdef size_t i
        _check_made(pred)
        _check_made(gold)
        cdef weight_t delta = pred._states[0].score - gold._states[0].score
        cdef weight_t loss = pred._states[0].loss
        if not loss > 0 or not (self.cost == 0 or delta > self.delta):
            return 0
        gold_paths = {tuple(gold.histories[i]) for i in range(gold.size)}
        p_scores, p_hist, g_scores, g_hist = [], [], [], []
        for i in range(pred.size):
            history = list(pred.histories[i])
            if pred._states[i].loss > 0:
                p_scores.append(pred._states[i].score)
                p_hist.append(history)
            elif tuple(history) not in gold_paths:
                g_scores.append(pred._states[i].score)
                g_hist.append(history)
        for i in range(gold.size):
            if gold._states[i].loss == 0:
                g_scores.append(gold._states[i].score)
                g_hist.append(list(gold.histories[i]))
        all_probs = _softmax(p_scores + g_scores)
        nr_wrong = len(p_scores)
        self.cost = loss
        self.delta = delta
        self.p_hist = p_hist
        self.g_hist = g_hist
        self.p_probs = all_probs[:nr_wrong]
        self.g_probs = [
            of_all - of_right
            for of_all, of_right in zip(all_probs[nr_wrong:], _softmax(g_scores))
        ]
        return 0


def _softmax(nums):
    """exp(x) / sum of exp, in double; None entries stay None and take no part."""
    known = [num for num in nums if num is not None]
    if not known:
        return list(nums)
    cdef double best = max(known)
    cdef double total = 0
    for num in known:
        total += exp(num - best)
    return [None if num is None else exp(num - best) / total for num in nums]
