/// What QEMU 7.2 (Debian 12) and its clients said to each other: facts to match. A line begins with `>` (client),
/// `<` (server) or `<EOF`. Left out are times, and questions about devices that the fake machine has not.
enum Transcripts {
  static let all: [(name: String, text: String)] = [
    (
      "errors-negotiation",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "query-status"}
      <{"error": {"class": "CommandNotFound", "desc": "Expecting capabilities negotiation with 'qmp_capabilities'"}}
      >{"execute":"qmp_capabilities","arguments":{"enable":["bogus"]}}
      <{"error": {"class": "GenericError", "desc": "Parameter 'null' does not accept value 'bogus'"}}
      >{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":1}
      <{"return": {}, "id": 1}
      >{"execute":"qmp_capabilities","id":2}
      <{"id": 2, "error": {"class": "CommandNotFound", "desc": "Capabilities negotiation is already complete, command ignored"}}
      >{"execute":"query-status","id":{"a":[1,2]}}
      <{"return": {"status": "prelaunch", "singlestep": false, "running": false}, "id": {"a": [1, 2]}}
      >{"execute":"no-such-cmd","id":"x"}
      <{"id": "x", "error": {"class": "CommandNotFound", "desc": "The command no-such-cmd has not been found"}}
      >{"execute":"query-status","arguments":{"foo":1}}
      <{"error": {"class": "GenericError", "desc": "Parameter 'foo' is unexpected"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":false}}
      <{"error": {"class": "GenericError", "desc": "Parameter 'protocol' is missing"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":"no","protocol":"file:x"}}
      <{"error": {"class": "GenericError", "desc": "Invalid parameter type for 'paging', expected: boolean"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:/nonexistent/x"}}
      <{"error": {"class": "GenericError", "desc": "Could not open '/nonexistent/x': No such file or directory"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"http:x"}}
      <{"error": {"class": "GenericError", "desc": "Invalid parameter 'protocol'"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:xx","format":"bogus"}}
      <{"error": {"class": "GenericError", "desc": "Parameter 'format' does not accept value 'bogus'"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":true,"protocol":"file:xx","format":"kdump-zlib"}}
      <{"error": {"class": "GenericError", "desc": "kdump-compressed format doesn't support paging or filter"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:xx","begin":0}}
      <{"error": {"class": "GenericError", "desc": "Parameter 'length' is missing"}}
      >{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:xx","begin":0,"length":4096,"format":"kdump-zlib"}}
      <{"error": {"class": "GenericError", "desc": "kdump-compressed format doesn't support paging or filter"}}
      >{"execute":"cont","bogus":1}
      <{"error": {"class": "GenericError", "desc": "QMP input member 'bogus' is unexpected"}}
      >{"arguments":{}}
      <{"error": {"class": "GenericError", "desc": "QMP input lacks member 'execute'"}}
      >{"execute":5}
      <{"error": {"class": "GenericError", "desc": "QMP input member 'execute' must be a string"}}
      >[]
      <{"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}
      >"str"
      <{"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}
      >42
      <{"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}
      >{"execute":"query-status"
      >}
      <{"return": {"status": "prelaunch", "singlestep": false, "running": false}}
      >{bad json}
      <{"error": {"class": "GenericError", "desc": "JSON parse error, invalid keyword 'bad'"}}
      >{'execute':'query-status'}
      <{"return": {"status": "prelaunch", "singlestep": false, "running": false}}
      >{"execute":"query-status","id":"after-bad"}
      <{"return": {"status": "prelaunch", "singlestep": false, "running": false}, "id": "after-bad"}
      >{"exec-oob":"query-status","id":9}
      <{"id": 9, "error": {"class": "GenericError", "desc": "The command query-status does not support OOB"}}
      >{"execute":"stop","id":"s1"}
      <{"return": {}, "id": "s1"}
      >{"execute":"stop","id":"s2"}
      <{"return": {}, "id": "s2"}
      >{"execute":"cont","id":"c1"}
      <{"timestamp": {"seconds": 1795429158, "microseconds": 62285}, "event": "RESUME"}
      <{"return": {}, "id": "c1"}
      >{"execute":"stop","id":"s3"}
      <{"timestamp": {"seconds": 1795429158, "microseconds": 338406}, "event": "STOP"}
      <{"return": {}, "id": "s3"}
      >{"execute":"query-status"}
      <{"return": {"status": "paused", "singlestep": false, "running": false}}
      >{"execute":"system_wakeup"}
      <{"error": {"class": "GenericError", "desc": "Unable to wake up: guest is not in suspended state"}}
      >{"execute":"replay-break","arguments":{"icount":100}}
      <{"error": {"class": "GenericError", "desc": "setting the breakpoint is allowed only in play mode"}}
      >{"execute":"replay-seek","arguments":{"icount":100}}
      <{"error": {"class": "GenericError", "desc": "replay must be enabled to seek"}}
      >{"execute":"replay-delete-break"}
      <{"error": {"class": "GenericError", "desc": "replay breakpoints are allowed only in play mode"}}
      >{"execute":"query-replay"}
      <{"return": {"icount": 0, "mode": "none"}}
      >{"execute":"query-dump"}
      <{"return": {"total": 0, "status": "none", "completed": 0}}
      >{"execute":"query-dump-guest-memory-capability"}
      <{"return": {"formats": ["elf", "kdump-zlib", "win-dmp"]}}
      >{"execute":"query-version"}
      <{"return": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}}
      >{"execute":"query-kvm"}
      <{"return": {"enabled": false, "present": true}}
      >{"execute":"query-cpus-fast"}
      <{"return": [{"thread-id": 29311, "props": {"core-id": 0, "thread-id": 0, "socket-id": 0}, "qom-path": "/machine/unattached/device[0]", "cpu-index": 0, "target": "x86_64"}]}
      >{"execute":"query-name"}
      <{"return": {}}
      >{"execute":"query-memory-size-summary"}
      <{"return": {"base-memory": 268435456, "plugged-memory": 0}}
      >{"execute":"set-action","arguments":{"panic":"pause"}}
      <{"return": {}}
      >{"execute":"set-action","arguments":{"panic":"bogus"}}
      <{"error": {"class": "GenericError", "desc": "Parameter 'panic' does not accept value 'bogus'"}}
      >{"execute":"query-events"}
      <{"error": {"class": "CommandNotFound", "desc": "The command query-events has not been found"}}
      >{"execute":"human-monitor-command","arguments":{"command-line":"info nosuch"}}
      <{"return": "unknown command: 'info nosuch'\r\n"}
      >{"execute":"human-monitor-command","arguments":{"command-line":"info registers"}}
      <{"return": "\r\nCPU#0\r\nEAX=00000000 EBX=00000efe ECX=c027d800 EDX=00000518\r\nESI=00000000 EDI=00000000 EBP=00000000 ESP=00006f14\r\nEIP=0000025b EFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\nES =1000 00010000 0000ffff 00009300\r\nCS =c000 000c0000 0000ffff 00009b00\r\nSS =0000 00000000 0000ffff 00009300\r\nDS =0000 00000000 0000ffff 00009300\r\nFS =0000 00000000 0000ffff 00009300\r\nGS =0000 00000000 0000ffff 00009300\r\nLDT=0000 00000000 0000ffff 00008200\r\nTR =0000 00000000 0000ffff 00008b00\r\nGDT=     00000000 00000000\r\nIDT=     00000000 000003ff\r\nCR0=00000010 CR2=00000000 CR3=00000000 CR4=00000000\r\nDR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \r\nDR6=00000000ffff0ff0 DR7=0000000000000400\r\nEFER=0000000000000000\r\nFCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80\r\nFPR0=0000000000000000 0000 FPR1=0000000000000000 0000\r\nFPR2=0000000000000000 0000 FPR3=0000000000000000 0000\r\nFPR4=0000000000000000 0000 FPR5=0000000000000000 0000\r\nFPR6=0000000000000000 0000 FPR7=0000000000000000 0000\r\nXMM00=0000000000000000 0000000000000000 XMM01=0000000000000000 0000000000000000\r\nXMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000\r\nXMM04=0000000000000000 0000000000000000 XMM05=0000000000000000 0000000000000000\r\nXMM06=0000000000000000 0000000000000000 XMM07=0000000000000000 0000000000000000\r\n"}
      >{"execute":"human-monitor-command","arguments":{"command-line":"info status"}}
      <{"return": "VM status: paused\r\n"}
      >{"execute":"human-monitor-command","arguments":{"command-line":"info replay"}}
      <{"return": "Record/replay is not active\r\n"}
      >{"execute":"pmemsave","arguments":{"val":0,"size":4096,"filename":"pm"}}
      <{"return": {}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429161, "microseconds": 865492}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "dumps",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429291, "microseconds": 380769}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-dump"}
      <{"timestamp": {"seconds": 1795429291, "microseconds": 381364}, "event": "STOP"}
      <{"return": {"total": 0, "status": "none", "completed": 0}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d.elf"}}
      <{"timestamp": {"seconds": 1795429292, "microseconds": 241590}, "event": "DUMP_COMPLETED", "data": {"result": {"total": 268697600, "status": "completed", "completed": 268697600}}}
      <{"return": {}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": true, "protocol": "file:d-paging.elf"}}
      <{"timestamp": {"seconds": 1795429293, "microseconds": 608685}, "event": "DUMP_COMPLETED", "data": {"result": {"total": 268697600, "status": "completed", "completed": 268697600}}}
      <{"return": {}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d.kdump", "format": "kdump-zlib"}}
      <{"timestamp": {"seconds": 1795429297, "microseconds": 504659}, "event": "DUMP_COMPLETED", "data": {"result": {"total": 268697600, "status": "completed", "completed": 268697600}}}
      <{"return": {}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d.snappy", "format": "kdump-snappy"}}
      <{"error": {"class": "GenericError", "desc": "kdump-snappy is not available now"}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d.lzo", "format": "kdump-lzo"}}
      <{"error": {"class": "GenericError", "desc": "kdump-lzo is not available now"}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d.elf"}}
      <{"timestamp": {"seconds": 1795429298, "microseconds": 941882}, "event": "DUMP_COMPLETED", "data": {"result": {"total": 268697600, "status": "completed", "completed": 268697600}}}
      <{"return": {}}
      >{"execute": "query-dump"}
      <{"return": {"total": 268697600, "status": "completed", "completed": 268697600}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d2.kdump", "format": "kdump-zlib", "detach": true}}
      <{"return": {}}
      >{"execute": "query-dump"}
      <{"return": {"total": 268697600, "status": "active", "completed": 991232}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d3.elf"}}
      <{"error": {"class": "GenericError", "desc": "There is a dump in process, please wait."}}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "cont"}
      <{"error": {"class": "GenericError", "desc": "There is a dump in process, please wait."}}
      >{"execute": "stop"}
      <{"error": {"class": "GenericError", "desc": "There is a dump in process, please wait."}}
      <{"timestamp": {"seconds": 1795429302, "microseconds": 983872}, "event": "DUMP_COMPLETED", "data": {"result": {"total": 268697600, "status": "completed", "completed": 268697600}}}
      >{"execute": "query-dump"}
      <{"return": {"total": 268697600, "status": "completed", "completed": 268697600}}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:d-part.elf", "begin": 16777216, "length": 1048576}}
      <{"timestamp": {"seconds": 1795429302, "microseconds": 997216}, "event": "DUMP_COMPLETED", "data": {"result": {"total": 1048576, "status": "completed", "completed": 1048576}}}
      <{"return": {}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429302, "microseconds": 997593}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "panic-pause",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      <{"timestamp": {"seconds": 1795429195, "microseconds": 375122}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      <{"timestamp": {"seconds": 1795429195, "microseconds": 375246}, "event": "STOP"}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429197, "microseconds": 378645}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "panic-pause-cont-panic0",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429228, "microseconds": 313144}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-status"}
      <{"timestamp": {"seconds": 1795429228, "microseconds": 313273}, "event": "STOP"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "stop"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "cont"}
      <{"timestamp": {"seconds": 1795429228, "microseconds": 622248}, "event": "RESUME"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429232, "microseconds": 934713}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "panic-pause-cont-panic2-noreboot",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429237, "microseconds": 857479}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-status"}
      <{"timestamp": {"seconds": 1795429237, "microseconds": 866367}, "event": "STOP"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "stop"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "cont"}
      <{"timestamp": {"seconds": 1795429238, "microseconds": 171825}, "event": "RESUME"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      <{"timestamp": {"seconds": 1795429241, "microseconds": 652675}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}
      <EOF
      """#
    ),
    (
      "panic2-cont-allowreboot",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429273, "microseconds": 705005}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-status"}
      <{"timestamp": {"seconds": 1795429273, "microseconds": 705150}, "event": "STOP"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "stop"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "cont"}
      <{"timestamp": {"seconds": 1795429274, "microseconds": 18826}, "event": "RESUME"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429278, "microseconds": 358469}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "panic-pause-system_reset-allowreboot",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429246, "microseconds": 761726}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-status"}
      <{"timestamp": {"seconds": 1795429246, "microseconds": 762448}, "event": "STOP"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "system_reset"}
      <{"timestamp": {"seconds": 1795429246, "microseconds": 763325}, "event": "RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "prelaunch", "singlestep": false, "running": false}}
      >{"execute": "cont"}
      <{"timestamp": {"seconds": 1795429247, "microseconds": 270970}, "event": "RESUME"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429247, "microseconds": 326581}, "event": "RESET", "data": {"guest": true, "reason": "guest-reset"}}
      <{"timestamp": {"seconds": 1795429247, "microseconds": 327107}, "event": "RESET", "data": {"guest": true, "reason": "guest-reset"}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      <{"timestamp": {"seconds": 1795429258, "microseconds": 28052}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-status"}
      <{"timestamp": {"seconds": 1795429258, "microseconds": 28194}, "event": "STOP"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429258, "microseconds": 341312}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "panic-pause-system_reset-noreboot",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429264, "microseconds": 431054}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-status"}
      <{"timestamp": {"seconds": 1795429264, "microseconds": 432116}, "event": "STOP"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "system_reset"}
      <{"timestamp": {"seconds": 1795429264, "microseconds": 432489}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-system-reset"}}
      <{"return": {}}
      <EOF
      """#
    ),
    (
      "panic-pause-misc",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429283, "microseconds": 564205}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      >{"execute": "query-status"}
      <{"timestamp": {"seconds": 1795429283, "microseconds": 564378}, "event": "STOP"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "system_powerdown"}
      <{"timestamp": {"seconds": 1795429283, "microseconds": 595212}, "event": "POWERDOWN"}
      <{"return": {}}
      >{"execute": "human-monitor-command", "arguments": {"command-line": "info registers"}}
      <{"return": "\r\nCPU#0\r\nRAX=0000000000000001 RBX=ffff8c7c0299e7a8 RCX=0000000000000000 RDX=0000000000010505\r\nRSI=0000000000010505 RDI=0000000000000001 RBP=0000000000000001 RSP=ffffcd2e00013ae8\r\nR8 =0000000000000000 R9 =ffffffff8c4bc5e0 R10=0000000000000003 R11=ffffffff8bcd2328\r\nR12=0000000000000000 R13=ffffffff8c4ee8a0 R14=00000000ffffffff R15=0000000000000000\r\nRIP=ffffffffc020e230 RFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\nES =0000 0000000000000000 00000000 00000000\r\nCS =0010 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]\r\nSS =0018 0000000000000000 ffffffff 00c09300 DPL=0 DS   [-WA]\r\nDS =0000 0000000000000000 00000000 00000000\r\nFS =0000 00000000036303c0 00000000 00000000\r\nGS =0000 ffff8c7c0f600000 00000000 00000000\r\nLDT=0000 0000000000000000 00000000 00008200 DPL=0 LDT\r\nTR =0040 fffffe0000003000 00004087 00008900 DPL=0 TSS64-avl\r\nGDT=     fffffe0000001000 0000007f\r\nIDT=     fffffe0000000000 00000fff\r\nCR0=80050033 CR2=00007fff0de01038 CR3=0000000002926000 CR4=000006b0\r\nDR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \r\nDR6=00000000ffff0ff0 DR7=0000000000000400\r\nEFER=0000000000000d01\r\nFCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80\r\nFPR0=0000000000000000 0000 FPR1=0000000000000000 0000\r\nFPR2=0000000000000000 0000 FPR3=0000000000000000 0000\r\nFPR4=0000000000000000 0000 FPR5=0000000000000000 0000\r\nFPR6=0000000000000000 0000 FPR7=0000000000000000 0000\r\nXMM00=0000000000000000 0000000000000000 XMM01=0000000000000000 0000000000000000\r\nXMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000\r\nXMM04=ffffffffffffffff ffffffffffffff00 XMM05=2d302e312e360000 0000000000000000\r\nXMM06=00000000036327a0 00000000004349f4 XMM07=0000000000000000 0000000000000000\r\nXMM08=0000000000000000 0000000000000000 XMM09=0000000000000000 0000000000000000\r\nXMM10=0000000000000000 0000000000000000 XMM11=0000000000000000 0000000000000000\r\nXMM12=0000000000000000 0000000000000000 XMM13=0000000000000000 0000000000000000\r\nXMM14=0000000000000000 0000000000000000 XMM15=0000000000000000 0000000000000000\r\n"}
      >{"execute": "human-monitor-command", "arguments": {"command-line": "info status"}}
      <{"return": "VM status: paused (guest-panicked)\r\n"}
      >{"execute": "inject-nmi"}
      <{"return": {}}
      >{"execute": "query-cpus-fast"}
      <{"return": [{"thread-id": 30910, "props": {"core-id": 0, "thread-id": 0, "socket-id": 0}, "qom-path": "/machine/unattached/device[0]", "cpu-index": 0, "target": "x86_64"}]}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429284, "microseconds": 118606}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "panic-default",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      <{"timestamp": {"seconds": 1795429190, "microseconds": 121448}, "event": "GUEST_PANICKED", "data": {"action": "poweroff"}}
      <{"timestamp": {"seconds": 1795429190, "microseconds": 121958}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-panic"}}
      <EOF
      """#
    ),
    (
      "panic-exit-failure",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      <{"timestamp": {"seconds": 1795429212, "microseconds": 574308}, "event": "GUEST_PANICKED", "data": {"action": "poweroff"}}
      <{"timestamp": {"seconds": 1795429212, "microseconds": 574760}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-panic"}}
      <EOF
      """#
    ),
    (
      "panic-none",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      <{"timestamp": {"seconds": 1795429205, "microseconds": 667872}, "event": "GUEST_PANICKED", "data": {"action": "run"}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429207, "microseconds": 684133}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "panic-default-shutdownpause",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      >{"execute": "query-status"}
      <{"return": {"status": "running", "singlestep": false, "running": true}}
      <{"timestamp": {"seconds": 1795429221, "microseconds": 713877}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      <{"timestamp": {"seconds": 1795429221, "microseconds": 714398}, "event": "STOP"}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429223, "microseconds": 720155}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
    (
      "rrcont-record-cont",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429452, "microseconds": 720801}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      <{"timestamp": {"seconds": 1795429452, "microseconds": 721440}, "event": "STOP"}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "query-replay"}
      <{"return": {"icount": 1869813328, "mode": "record", "filename": "rrc.bin"}}
      >{"execute": "cont"}
      <{"timestamp": {"seconds": 1795429453, "microseconds": 726606}, "event": "RESUME"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429502, "microseconds": 46273}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}
      >{"execute": "query-status"}
      <EOF
      """#
    ),
    (
      "rrcont-replay-cont",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429552, "microseconds": 405617}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      <{"timestamp": {"seconds": 1795429552, "microseconds": 410245}, "event": "STOP"}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "query-replay"}
      <{"return": {"icount": 1869813328, "mode": "play", "filename": "rrc.bin"}}
      >{"execute": "cont"}
      <{"timestamp": {"seconds": 1795429553, "microseconds": 426285}, "event": "RESUME"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429575, "microseconds": 722884}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}
      >{"execute": "query-status"}
      <EOF
      """#
    ),
    (
      "rrcont-replay-nocont",
      #"""
      <{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}
      >{"execute": "qmp_capabilities"}
      <{"return": {}}
      <{"timestamp": {"seconds": 1795429516, "microseconds": 77411}, "event": "GUEST_PANICKED", "data": {"action": "pause"}}
      <{"timestamp": {"seconds": 1795429516, "microseconds": 82290}, "event": "STOP"}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "query-replay"}
      <{"return": {"icount": 1869813328, "mode": "play", "filename": "rrc.bin"}}
      >{"execute": "query-status"}
      <{"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
      >{"execute": "query-replay"}
      <{"return": {"icount": 1869813328, "mode": "play", "filename": "rrc.bin"}}
      >{"execute": "quit"}
      <{"timestamp": {"seconds": 1795429537, "microseconds": 106872}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
      <{"return": {}}
      """#
    ),
  ]
}
