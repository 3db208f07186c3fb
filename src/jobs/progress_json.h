// A progress snapshot as JSON: what the ledger keeps for `status`, and what the JSON events are made of.
//
//   {"job":"copy","table":"orders","phase":"copying","pages":12,"readItems":1200,"readBytes":150000,"writtenItems":1199,"rejectedItems":1,
//    "rcu":48.5,"wcu":0,"units":16,"unitsDone":3,"unitsSkipped":0,"expectedItems":9000,"expectedBytes":1125000,
//    "share":0.13,"itemsPerS":400,"bytesPerS":50000,"rcuPerS":16,"etaS":19.5,"holder":"target latency",
//    "holderDetail":"","unknownOutcomes":0,"retries":2,"throttles":1,"memoryBytes":4194304,"elapsedS":3.1,
//    "idleS":0.2,"paused":false,"readBudgetRcuPerS":2500,"readBudgetWhy":"half of what is free:
//    …","writeBudgetWhy":"…",
//    "applicationRcuPerS":5000,"writeConcurrency":32,"writeConcurrencyWhy":"growing",
//    "steering":[{"setting":"rcu","value":"8000","by":"anna (uid 1000, pid 4711)","atUnixMs":1700000000000,
//    "allTables":false}],
//    "live":{"roles":[{"role":"copy","state":"done","why":"","exitCode":0,"wish":1}],"capturing":true,"applying":true,"streamView":"NEW_IMAGE","events":812,"eventsPerS":40.5,
//    "shardsReading":4,"shardsWaiting":0,"shardsDrained":2,"untilTrimmedS":86390,"spoolKeysAtMost":17,
//    "spoolBytes":1048576,"diskFreeBytes":70000000000,"oldestChangeS":0.4,"spoolFull":false,"applied":790,
//    "removed":5,"reread":0,"appliedPerS":39,"lagS":0.3,"gaps":[],"gapsHealing":0,"inStep":true,"notInStep":[],
//    "completeUntilUnixMs":1700000000000,"needsPerson":""}}
//
// Fields have the meaning of Progress's; those that Progress has as optional are left out while they are
// absent.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "jobs/progress.h"

namespace messina::jobs {

std::string progress_to_json(const Progress& progress);
/// Missing fields keep their defaults and unknown ones are passed over, so that versions can read each
/// other's. ErrorKind::corrupt if the text is no JSON object or a field has another type.
Result<Progress> progress_from_json(std::string_view json);

}  // namespace messina::jobs
