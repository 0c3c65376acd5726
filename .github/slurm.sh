#!/bin/sh
# A SLURM cluster of one node, this machine: sudo sh .github/slurm.sh
# On Debian and Ubuntu, after apt-get install slurm-wlm munge. The ids of the three
# daemons are in /run/munge/munged.pid, /run/slurmctld.pid and /run/slurmd.pid.
set -eu

host=$(hostname -s)
cpus=$(nproc)
memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo)

mkdir -p /etc/slurm /var/spool/slurmctld /var/spool/slurmd /run/munge
chown munge: /run/munge
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=debug Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF

# The package's services may have started with another configuration.
if [ -d /run/systemd/system ]; then
    systemctl stop slurmd slurmctld munge || true
fi
setpriv --reuid munge --regid munge --clear-groups munged
slurmctld
slurmd

for _ in $(seq 30); do
    if sinfo --noheader --format %T | grep -q idle; then
        exit 0
    fi
    sleep 1
done
sinfo >&2
exit 1
