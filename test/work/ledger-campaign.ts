/** `npm run ledger:histories -- [--runs N] [--seed S] [--minutes M] [--again SEED:PATH]`. */
import { playCampaign } from './campaign.ts';
import { replayWithLedgers } from './ledger-histories.ts';

await playCampaign({
  script: 'ledger:histories',
  failures: 'disagreements',
  replay: replayWithLedgers,
});
