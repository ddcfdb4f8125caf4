package server

// absent are fields of Redis' INFO about what is not here, so that they never
// change: no process is forked, there is no
// cluster, no I/O threads of Redis' kind, nothing is defragmented or freed later.
// Monitoring reads them all the same.
var absent = map[string][]string{
	"server": {"redis_build_id:0", "process_supervised:no", "io_threads_active:0"},
	"memory": {
		"used_memory_hash_templates:0", "mem_overhead_db_hashtable_rehashing:0", "mem_cluster_slot_migration_output_buffer:0",
		"mem_cluster_slot_migration_input_buffer:0", "mem_cluster_slot_migration_input_buffer_peak:0", "mem_replica_full_sync_buffer:0", "mem_cluster_links:0",
		"active_defrag_running:0", "lazyfree_pending_objects:0", "lazyfreed_objects:0",
	},
	"persistence": {
		"current_cow_peak:0", "current_cow_size:0", "current_cow_size_age:0", "current_fork_perc:0.00",
		"rdb_last_cow_size:0", "rdb_last_load_keys_expired:0",
		"aof_last_cow_size:0", "backup_in_progress:0", "module_fork_in_progress:0", "module_fork_last_cow_size:0",
	},
	"stats": {
		"total_net_repl_input_bytes:0", "total_net_repl_output_bytes:0", "instantaneous_input_repl_kbps:0.00", "instantaneous_output_repl_kbps:0.00",
		"expired_stale_perc:0.00", "expired_time_cap_reached_count:0",
		"latest_fork_usec:0", "total_forks:0", "migrate_cached_sockets:0", "slave_expires_tracked_keys:0",
		"active_defrag_hits:0", "active_defrag_misses:0", "active_defrag_key_hits:0", "active_defrag_key_misses:0",
		"total_active_defrag_time:0", "current_active_defrag_time:0", "unexpected_error_replies:0", "dump_payload_sanitizations:0",
		"io_threaded_reads_processed:0", "io_threaded_writes_processed:0", "reply_buffer_shrinks:0", "reply_buffer_expands:0",
		"hash_templates:0", "hash_template_keys:0",
		"acl_access_denied_cmd:0", "acl_access_denied_key:0", "acl_access_denied_channel:0", "acl_access_denied_tls_cert:0",
	},
	"cpu": {"used_cpu_sys_children:0.000000", "used_cpu_user_children:0.000000"},
}

// writeAbsent ends a section with them.
func (t *infoText) writeAbsent(section string) {
	for _, line := range absent[section] {
		t.b = append(append(t.b, line...), "\r\n"...)
	}
}
