"""`BackendConformance`: every case of what a backend promises."""

from __future__ import annotations

from mixstore.testing.cases.adding import AddingCases
from mixstore.testing.cases.aggregates import AggregateCases
from mixstore.testing.cases.batch import BatchCases
from mixstore.testing.cases.chain import ChainCases
from mixstore.testing.cases.collecting import CollectCases
from mixstore.testing.cases.concurrency import ConcurrencyCases
from mixstore.testing.cases.crud import CrudCases
from mixstore.testing.cases.doors import DoorCases
from mixstore.testing.cases.entities import EntityCases
from mixstore.testing.cases.errors import ErrorCases
from mixstore.testing.cases.explain import ExplainCases
from mixstore.testing.cases.following import FollowingCases
from mixstore.testing.cases.freed import FreedCases
from mixstore.testing.cases.hidden import HiddenCases
from mixstore.testing.cases.hooks import HookCases
from mixstore.testing.cases.isolation import IsolationCases
from mixstore.testing.cases.key_indexes import KeyIndexCases
from mixstore.testing.cases.keys import KeyCases
from mixstore.testing.cases.lacking import LackingCases
from mixstore.testing.cases.limits import LimitCases
from mixstore.testing.cases.locking import LockingCases
from mixstore.testing.cases.logic import LogicCases
from mixstore.testing.cases.lookup_matrix import LookupMatrixCases
from mixstore.testing.cases.lookups import LookupCases
from mixstore.testing.cases.model_hooks import ModelHookCases
from mixstore.testing.cases.odd_models import OddModelCases
from mixstore.testing.cases.order import OrderCases
from mixstore.testing.cases.pages import PageCases
from mixstore.testing.cases.search import SearchCases
from mixstore.testing.cases.search_modes import SearchModeCases
from mixstore.testing.cases.search_vectors import SearchVectorCases
from mixstore.testing.cases.search_words import SearchWordCases
from mixstore.testing.cases.select import SelectCases
from mixstore.testing.cases.streaming import StreamingCases
from mixstore.testing.cases.transaction_owners import TransactionOwnerCases
from mixstore.testing.cases.transactions import TransactionCases
from mixstore.testing.cases.trouble import TroubleCases
from mixstore.testing.cases.unique import UniqueCases
from mixstore.testing.cases.validation import ValidationCases
from mixstore.testing.cases.value_refusals import ValueRefusalCases
from mixstore.testing.cases.values import ValueCases
from mixstore.testing.cases.write_by_query import WriteByQueryCases


class BackendConformance(
    AddingCases,
    AggregateCases,
    BatchCases,
    ChainCases,
    CollectCases,
    ConcurrencyCases,
    CrudCases,
    DoorCases,
    EntityCases,
    ErrorCases,
    ExplainCases,
    FollowingCases,
    FreedCases,
    HiddenCases,
    HookCases,
    IsolationCases,
    KeyIndexCases,
    KeyCases,
    LackingCases,
    LimitCases,
    LockingCases,
    LogicCases,
    LookupMatrixCases,
    LookupCases,
    ModelHookCases,
    OddModelCases,
    OrderCases,
    PageCases,
    SearchCases,
    SearchModeCases,
    SearchVectorCases,
    SearchWordCases,
    SelectCases,
    StreamingCases,
    TransactionOwnerCases,
    TransactionCases,
    TroubleCases,
    UniqueCases,
    ValidationCases,
    ValueRefusalCases,
    ValueCases,
    WriteByQueryCases,
):
    """Subclass it with a fixture `backend` that yields an empty backend, in a class whose name begins with `Test`."""
