/** `npm run rescue:histories -- [--runs N] [--seed S] [--minutes M] [--again SEED:PATH]`. */
import { playCampaign } from '../work/campaign.ts';
import { replayWithRescue } from './histories.ts';

await playCampaign({
  script: 'rescue:histories',
  failures: 'failures',
  replay: replayWithRescue,
});
