/** What the thread of stat-ahead.ts is started with. */
import { workerData } from 'node:worker_threads';
import { lookAtFiles } from '../repository/stat-job.ts';
import type { StatJob } from '../repository/stat-job.ts';

lookAtFiles(workerData as StatJob);
